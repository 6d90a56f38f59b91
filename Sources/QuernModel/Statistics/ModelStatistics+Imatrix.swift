import QuernFormats

extension ModelStatistics {
    /// The sums of squares as llama-imatrix would have them: an entry for each tensor that reads an input. Experts have
    /// a count each; tensors with a matrix for each head, which all see the same rows, have one.
    /// - Parameter dataset: what to call the text.
    public func imatrix(dataset: String) -> ImatrixFile {
        var entries: [String: ImatrixFile.Entry] = [:]
        for input in inputs {
            let isCountedOnce = !input.name.contains("_exps.")
            let entry = ImatrixFile.Entry(
                sums: input.squares.map { Float($0) },
                counts: (isCountedOnce ? Array(input.counts.prefix(1)) : input.counts).map { Float($0) })
            for tensor in input.tensors { entries[tensor] = entry }
        }
        return ImatrixFile(
            entries: entries, datasets: [dataset], chunkCount: chunks, chunkTokens: origin.chunkTokens)
    }
}
