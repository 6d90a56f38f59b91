import QuernFormats

extension DecoderGraph {
    /// The forward pass of a model.
    /// - Throws: `QuernError` `.unsupported` for an architecture that is not known, naming those that are;
    ///   `.invalidInput` where tensors or keys are missing or contradict each other.
    public static func of(_ model: SourceModel) throws -> DecoderGraph {
        throw QuernError(.unsupported, "the forward pass of '\(model.architecture)' is unknown")
    }
}
