import QuernFormats
import QuernStore

/// The model that an item computes on: what `SourceModel.open` is given, and the files it must find there.
public struct ModelReference: Sendable, Codable, Equatable {
    /// An absolute path.
    public let path: String
    /// The files of tensors, as they were when the job was planned.
    public let files: [SourceFile]
    /// Of all that decides what is computed beside the values in the files: metadata, names, shapes, what config.json
    /// alone says, and the version of the computation.
    public let identity: Digest
    public init(path: String, files: [SourceFile], identity: Digest) {
        self.path = path
        self.files = files
        self.identity = identity
    }
}

/// Cut a text into chunks of tokens.
public struct TokenizeWork: Sendable, Codable, Equatable {
    public let model: ModelReference
    public let text: SourceFile
    /// Tokens in a chunk.
    public let chunkTokens: Int
    /// Chunks beyond these are left out: there are no items for them.
    public let maximumChunks: Int
    public init(model: ModelReference, text: SourceFile, chunkTokens: Int, maximumChunks: Int) {
        self.model = model
        self.text = text
        self.chunkTokens = chunkTokens
        self.maximumChunks = maximumChunks
    }

    /// Peak bytes: the text, and its tokens while they are made.
    public var memory: Int64 { 16 << 20 + 16 * Int64(clamping: min(text.size, 1 << 40)) }
}

public struct TokenizeResult: Sendable, Codable, Equatable {
    /// A blob of little-endian I32 [chunks, chunk tokens].
    public let tokens: Digest
    /// At least 2.
    public let chunks: Int
    /// The sha256 of the text file.
    public let text: Digest
    /// Different tokens in the chunks.
    public let distinctTokens: Int
    /// Tokens that the model knows.
    public let vocabulary: Int
    public init(tokens: Digest, chunks: Int, text: Digest, distinctTokens: Int, vocabulary: Int) {
        self.tokens = tokens
        self.chunks = chunks
        self.text = text
        self.distinctTokens = distinctTokens
        self.vocabulary = vocabulary
    }
}

/// Run a group of chunks through the model and sum up the inputs of its linear layers.
public struct CalibrateWork: Sendable, Codable, Equatable {
    public let model: ModelReference
    /// Ordinal of the tokenize item.
    public let tokens: Int
    public let chunkTokens: Int
    /// The group: chunks `firstChunk ..< firstChunk + maximumChunks`, as far as the text has them.
    public let firstChunk: Int
    public let maximumChunks: Int
    /// Whether the input of `output.weight` counts too.
    public let processOutput: Bool
    /// Columns that a block of a Gram matrix has at most; nil: no such matrices are kept.
    public let gramBlock: Int?
    /// What computes the model; nil for the processor.
    public let forward: ForwardDevice?
    /// Peak bytes, as the plan estimates them.
    public let memory: Int64
    public init(
        model: ModelReference, tokens: Int, chunkTokens: Int, firstChunk: Int, maximumChunks: Int,
        processOutput: Bool, gramBlock: Int? = nil, forward: ForwardDevice? = nil, memory: Int64
    ) {
        self.forward = forward
        self.model = model
        self.tokens = tokens
        self.chunkTokens = chunkTokens
        self.firstChunk = firstChunk
        self.maximumChunks = maximumChunks
        self.processOutput = processOutput
        self.gramBlock = gramBlock
        self.memory = memory
    }
}

public struct CalibrateResult: Sendable, Codable, Equatable {
    /// Blobs that, joined, are the statistics file of the group; none where the text ends before it.
    public let statistics: [Digest]
    public init(statistics: [Digest]) { self.statistics = statistics }
}

/// Add the statistics of all groups, in the order of the text.
public struct MergeWork: Sendable, Codable, Equatable {
    /// Ordinal of the tokenize item.
    public let tokens: Int
    /// Ordinals of the calibrate items, in the order of the text.
    public let groups: [Int]
    /// Peak bytes, as the plan estimates them.
    public let memory: Int64
    public init(tokens: Int, groups: [Int], memory: Int64) {
        self.tokens = tokens
        self.groups = groups
        self.memory = memory
    }
}

public struct MergeResult: Sendable, Codable, Equatable {
    /// The sha256 of the statistics file.
    public let sha256: Digest
    /// Blobs that, joined, are the statistics file.
    public let statistics: [Digest]
    /// A blob that tells where the importance vectors of every tensor are: see `VectorIndex`.
    public let index: Digest
    /// Chunks of text that were gone through.
    public let chunks: Int
    /// Rows that reached each expert; empty where there are none.
    public let coverage: [ExpertCoverage]
    /// What is wrong with the text, if anything.
    public let warnings: [String]
    public init(
        sha256: Digest, statistics: [Digest], index: Digest, chunks: Int, coverage: [ExpertCoverage] = [],
        warnings: [String] = []
    ) {
        self.sha256 = sha256
        self.statistics = statistics
        self.index = index
        self.chunks = chunks
        self.coverage = coverage
        self.warnings = warnings
    }
}

extension WorkResult {
    /// The blobs that the item made, so that doing it again brings them back.
    public var blobs: [Digest] {
        switch self {
        case .digest, .scan, .measure, .collect, .assemble, .publish: []
        case .tokenize(let result): [result.tokens]
        case .calibrate(let result): result.statistics
        case .merge(let result): result.statistics + [result.index]
        case .balance(let result): [result.vector]
        case .factor(let result): result.factor
        case .evaluate(let result): result.scores
        case .encode(let result): result.parts.map(\.digest)
        }
    }
}
