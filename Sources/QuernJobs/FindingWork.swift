import QuernFormats
import QuernStore

/// Find the largest magnitudes of weights that share a scale, and of what they multiply.
public struct ScanWork: Sendable, Codable, Equatable {
    /// The files that the extents' indices mean.
    public let files: [SourceFile]
    /// All rows of the weights; nothing is made of them.
    public let spans: [Span]
    /// Whose input is looked at, too; nil for none.
    public let input: StatisticsReference?
    /// Peak bytes, as the plan estimates them.
    public let memory: Int64
    public init(files: [SourceFile], spans: [Span], input: StatisticsReference?, memory: Int64) {
        self.files = files
        self.spans = spans
        self.input = input
        self.memory = memory
    }
}

public struct ScanResult: Sendable, Codable, Equatable {
    public let weights: Float
    /// Nil where nobody asked.
    public let input: Float?
    public init(weights: Float, input: Float?) {
        self.weights = weights
        self.input = input
    }
}

/// What a layer reads, as statistics know it.
public struct StatisticsReference: Sendable, Codable, Hashable {
    /// Ordinal of the merge item.
    public let merged: Int
    /// A GGUF tensor that reads the input.
    public let tensor: String
    /// Which of the input's matrices: an expert.
    public let matrix: Int
    public init(merged: Int, tensor: String, matrix: Int) {
        self.merged = merged
        self.tensor = tensor
        self.matrix = matrix
    }
}

/// Factor the Gram matrix of an input.
public struct FactorWork: Sendable, Codable, Equatable {
    public let input: StatisticsReference
    /// Ordinal of the balance item whose vector s the input is divided by: H_ij / (s_i · s_j) is factored; nil for none.
    public let balance: Int?
    /// Peak bytes, as the plan estimates them.
    public let memory: Int64
    public init(input: StatisticsReference, balance: Int? = nil, memory: Int64) {
        self.input = input
        self.balance = balance
        self.memory = memory
    }
}

public struct FactorResult: Sendable, Codable, Equatable {
    /// Blobs that, joined, are the factor.
    public let factor: [Digest]
    public init(factor: [Digest]) { self.factor = factor }
}
