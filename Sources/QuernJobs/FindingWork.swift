import QuernFormats
import QuernStore

/// Look at the magnitudes of weights that share a scale, and of what they multiply.
public struct ScanWork: Sendable, Codable, Equatable {
    /// The files that the extents' indices mean.
    public let files: [SourceFile]
    /// All rows of the weights; nothing is made of them.
    public let spans: [Span]
    /// Neighbours of a row whose largest magnitudes are averaged; nil where nobody asks.
    public let group: Int?
    /// Whose input is looked at, too; nil for none.
    public let input: StatisticsReference?
    /// Peak bytes, as the plan estimates them.
    public let memory: Int64
    public init(
        files: [SourceFile], spans: [Span], group: Int? = nil, input: StatisticsReference?, memory: Int64
    ) {
        self.files = files
        self.spans = spans
        self.group = group
        self.input = input
        self.memory = memory
    }
}

public struct ScanResult: Sendable, Codable, Equatable {
    /// The largest magnitude.
    public let weights: Float
    /// The mean of the largest magnitudes of groups. Nil where nobody asked.
    public let groupMean: Float?
    /// Nil where nobody asked.
    public let input: Float?
    public init(weights: Float, groupMean: Float? = nil, input: Float?) {
        self.weights = weights
        self.groupMean = groupMean
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
    /// Neighbouring inputs that follow each other in the order of the factor; 1 where they need not.
    public let unit: Int
    /// Neighbours within a unit that follow each other as they are; 1 where they need not.
    public let run: Int
    /// Peak bytes, as the plan estimates them.
    public let memory: Int64
    public init(input: StatisticsReference, balance: Int? = nil, unit: Int = 1, run: Int = 1, memory: Int64) {
        self.input = input
        self.balance = balance
        self.unit = unit
        self.run = run
        self.memory = memory
    }
}

public struct FactorResult: Sendable, Codable, Equatable {
    /// Blobs that, joined, are the factor.
    public let factor: [Digest]
    public init(factor: [Digest]) { self.factor = factor }
}
