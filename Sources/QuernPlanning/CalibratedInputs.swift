extension [LinearInput] {
    /// Those that calibration collects statistics about, each of which some tensor of the model reads.
    /// - Parameters:
    ///   - processOutput: whether `output.weight` is wanted.
    ///   - keepsGram: whether Gram matrices are; then embeddings that are the head count as `output.weight`.
    ///   - isTensor: whether the model has a tensor of this name.
    public func calibrated(processOutput: Bool, keepsGram: Bool, isTensor: (String) -> Bool) -> [LinearInput] {
        filter { input in
            guard input.tensors.contains(where: isTensor) else { return false }
            return !input.isHead || (processOutput && (keepsGram || input.tensors.contains("output.weight")))
        }
    }
}

extension LinearInput {
    /// Whether its matrices are experts, each with rows of its own; matrices of heads all have the same rows.
    public var hasExperts: Bool { matrices > 1 && name.contains("_exps.") }
}
