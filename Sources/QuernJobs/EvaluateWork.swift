import QuernStore

/// Score a group of chunks under the source and under every artifact.
public struct EvaluateWork: Sendable, Codable, Equatable {
    /// The source: what the artifacts are held against.
    public let model: ModelReference
    public let candidates: [Candidate]
    /// Ordinal of the tokenize item.
    public let tokens: Int
    public let chunkTokens: Int
    /// The group: chunks `firstChunk ..< firstChunk + maximumChunks`, as far as the text has them.
    public let firstChunk: Int
    public let maximumChunks: Int
    /// What computes the model; nil for the processor.
    public let forward: ForwardDevice?
    /// Peak bytes, as the plan estimates them.
    public let memory: Int64

    /// An artifact. Of a folder of safetensors the weights alone are judged: where its scheme rounds activations as the
    /// model runs, loaders lose more than is found here.
    public struct Candidate: Sendable, Codable, Equatable {
        public let target: String
        /// Ordinals of the assemble items of its files, in order.
        public let files: [Int]
        public init(target: String, files: [Int]) {
            self.target = target
            self.files = files
        }
    }

    public init(
        model: ModelReference, candidates: [Candidate], tokens: Int, chunkTokens: Int, firstChunk: Int,
        maximumChunks: Int, forward: ForwardDevice? = nil, memory: Int64
    ) {
        self.forward = forward
        self.model = model
        self.candidates = candidates
        self.tokens = tokens
        self.chunkTokens = chunkTokens
        self.firstChunk = firstChunk
        self.maximumChunks = maximumChunks
        self.memory = memory
    }
}

public struct EvaluateResult: Sendable, Codable, Equatable {
    /// Blobs that, joined, are the scores of the group's positions; none where the text ends before it.
    public let scores: [Digest]
    public init(scores: [Digest]) { self.scores = scores }
}

/// Where the publish item finds what evaluation found.
public struct EvaluationReference: Sendable, Codable, Equatable {
    public let chunkTokens: Int
    /// Ordinals of the evaluate items, in the order of the text.
    public let groups: [Int]
    /// Bytes that the scores of all positions come to hold while they are summed up, as the plan estimates them.
    public let memory: Int64
    public init(chunkTokens: Int, groups: [Int], memory: Int64) {
        self.chunkTokens = chunkTokens
        self.groups = groups
        self.memory = memory
    }
}

extension WorkPayload {
    /// What the item reads of the result of an item it depends on. Evaluation finds artifacts by their files; lists of
    /// their tensors would be sent with each of many items.
    public func input(from result: WorkResult) -> WorkResult {
        guard case .evaluate = self, case .assemble(let file) = result else { return result }
        return .assemble(AssembleResult(file: file.file, size: file.size, sha256: file.sha256, tensors: []))
    }
}
