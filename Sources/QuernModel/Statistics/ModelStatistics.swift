import QuernFormats
import QuernStore

/// What calibration leaves: sums about every place where linear layers read.
public struct ModelStatistics: Sendable, Equatable {
    /// What the sums were made from. Statistics are only added where all of it agrees.
    public struct Origin: Sendable, Equatable {
        /// `general.architecture`.
        public let architecture: String
        /// Names and sizes of the model's files, in order.
        public let files: [String]
        /// The sha256 of the text.
        public let text: Digest
        public let chunkTokens: Int

        public init(architecture: String, files: [String], text: Digest, chunkTokens: Int) {
            self.architecture = architecture
            self.files = files
            self.text = text
            self.chunkTokens = chunkTokens
        }
    }

    public let origin: Origin
    /// How matrices were multiplied, which shows in the last digits: one entry for each kind of machine that took part,
    /// sorted.
    public private(set) var arithmetic: [String]
    /// Chunks of text that were gone through.
    public var chunks: Int
    /// Sorted by name.
    public private(set) var inputs: [InputStatistics]

    public init(origin: Origin, arithmetic: [String], chunks: Int, inputs: [InputStatistics]) {
        self.origin = origin
        self.arithmetic = arithmetic
        self.chunks = chunks
        self.inputs = inputs.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    /// Adds the statistics of the text that follows. The result depends on the order of additions in its last digits:
    /// add groups in the order of the text.
    /// - Throws: `QuernError` `.invalidInput` where they are about another model or text.
    public mutating func add(_ other: ModelStatistics) throws(QuernError) {
        if let difference = origin.difference(from: other.origin) {
            throw QuernError(
                .invalidInput, "statistics of different origin cannot be added: \(difference)",
                remedy: "Calibrate again")
        }
        guard inputs.count == other.inputs.count,
            zip(inputs, other.inputs).allSatisfy({ $0.isComparable(to: $1) })
        else { throw Self.otherInputs }
        for index in inputs.indices { inputs[index].add(other.inputs[index]) }
        chunks += other.chunks
        arithmetic = Set(arithmetic + other.arithmetic).sorted()
    }

    static let otherInputs = QuernError(.invalidInput, "statistics about different inputs cannot be added")

    /// - Throws: `QuernError` `.invalidInput` naming an input whose sums are not finite.
    public func checkFinite() throws(QuernError) {
        guard let bad = inputs.first(where: { !$0.isFinite }) else { return }
        throw QuernError(
            .invalidInput, "its input is infinite or no number for some tokens of the text", at: bad.name,
            remedy: "The checkpoint is damaged, or it cannot be computed in single precision")
    }
}

extension ModelStatistics.Origin {
    fileprivate func difference(from other: ModelStatistics.Origin) -> String? {
        if architecture != other.architecture { return "\(architecture) and \(other.architecture)" }
        if files != other.files { return "the models have other files" }
        if text != other.text { return "the texts differ" }
        if chunkTokens != other.chunkTokens { return "chunks of \(chunkTokens) and of \(other.chunkTokens) tokens" }
        return nil
    }
}
