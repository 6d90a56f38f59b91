import Foundation
import QuernFormats
import QuernPlanning

/// What an importance matrix says about the inputs of a model's tensors, by the measures of
/// `llama-imatrix --show-statistics`.
public struct ImatrixReport: Sendable, Encodable, Equatable {
    /// The mean squares a of one tensor's inputs; of experts only those that had rows.
    public struct Tensor: Sendable, Encodable, Equatable {
        /// The name in the file.
        public let name: String
        /// N of `blk.N.`; nil outside blocks.
        public let layer: Int?
        /// The part of the name before `.weight`: `ffn_down`.
        public let kind: String
        /// Σa, and its least, largest and mean term with their standard deviation.
        public let sum: Double
        public let minimum: Double
        public let maximum: Double
        public let mean: Double
        public let deviation: Double
        /// Share of channels with a > 10⁻⁵.
        public let active: Double
        /// Channels that were looked at.
        public let count: Int
        /// −Σ p·log₂ p, p = a / Σa, in bits; and by log₂ of the count.
        public let entropy: Double
        public let normalizedEntropy: Double
        /// Share of channels more than a standard deviation above the mean.
        public let outliers: Double
        /// The cosine of the sums with those of the same tensor one block before; 0 where there is none.
        public let similarity: Double
    }

    /// Averages over a block's tensors, weighted by their channels.
    public struct Layer: Sendable, Encodable, Equatable {
        public let layer: Int
        public let sum: Double
        public let outliers: Double
        public let similarity: Double
    }

    /// How the rows were spread over the experts of a tensor.
    public struct Coverage: Sendable, Encodable, Equatable {
        public let name: String
        public let experts: Int
        /// Experts that no row reached, by number.
        public let missing: [Int]
        /// Rows of the expert with fewest, of the one in the middle, and of the one with most.
        public let least: Double
        public let median: Double
        public let most: Double
    }

    /// Matrices XᵀX that a statistics file has beside its sums.
    public struct Gram: Sendable, Encodable, Equatable {
        /// Inputs of linear layers, each with a matrix for every expert.
        public let inputs: Int
        /// Inputs whose matrices are kept as one block.
        public let whole: Int
        /// Columns of the widest block.
        public let widestBlock: Int
        /// Bytes in the file.
        public let bytes: Int

        /// - Returns: nil where there are none.
        init?(_ statistics: ModelStatistics) {
            let matrices = statistics.inputs.compactMap(\.gram)
            guard let widest = matrices.map(\.layout.blockColumns).max() else { return nil }
            inputs = matrices.count
            whole = matrices.count { $0.layout.isWhole }
            widestBlock = widest
            bytes = matrices.reduce(0) { $0 + 4 * $1.values.count }
        }
    }

    public let datasets: [String]
    public let chunks: Int
    public let chunkTokens: Int
    /// By kind, within a kind by falling sum.
    public let tensors: [Tensor]
    public let layers: [Layer]
    public let experts: [Coverage]
    /// Nil for an importance matrix alone.
    public let gram: Gram?
    /// What is wrong with the text, if anything.
    public let warnings: [String]

    /// Fewer tokens than these leave many channels to chance.
    public static let fewTokens = 20_000

    /// Of a statistics file.
    public init(_ statistics: ModelStatistics) {
        self.init(statistics.imatrix(dataset: nil), gram: Gram(statistics))
    }

    public init(_ file: ImatrixFile) { self.init(file, gram: nil) }

    private init(_ file: ImatrixFile, gram: Gram?) {
        self.gram = gram
        datasets = file.datasets
        chunks = file.chunkCount
        chunkTokens = file.chunkTokens
        tensors = file.entries.compactMap { Tensor($0.key, $0.value, in: file) }
            .sorted { ($0.kind, $1.sum, $0.name) < ($1.kind, $0.sum, $1.name) }
        layers = Dictionary(grouping: tensors.filter { $0.layer != nil }) { $0.layer ?? 0 }
            .sorted { $0.key < $1.key }.map { Layer($0.key, $0.value) }
        experts = file.entries.filter { $0.value.counts.count > 1 }.map { Coverage($0.key, $0.value.counts) }
            .sorted { $0.name < $1.name }
        warnings = Self.warnings(tokens: file.chunkCount * file.chunkTokens, of: file.text, experts)
    }

    /// - Parameters:
    ///   - tokens: that were gone through; 0 where nobody knows.
    ///   - text: nil where nobody knows.
    ///   - experts: by name.
    static func warnings(tokens: Int, of text: ImatrixFile.Text?, _ experts: [Coverage]) -> [String] {
        var warnings: [String] = []
        if tokens > 0, tokens < fewTokens {
            warnings.append(
                "little text: \(tokens) tokens; a hundred chunks of 512 are a good measure, and \(fewTokens) tokens "
                    + "the least")
        }
        if let text, text.isUniform(tokens: tokens) {
            warnings.append(
                "uniform text: only \(text.distinctTokens) different tokens of a vocabulary of \(text.vocabulary) in "
                    + "\(tokens); take text of many kinds")
        }
        let starved = experts.filter { !$0.missing.isEmpty }
        if let worst = starved.max(by: { $0.missing.count < $1.missing.count }) {
            warnings.append(
                "experts without a single row in \(starved.count) tensors, \(worst.missing.count) of "
                    + "\(worst.experts) in \(worst.name): they are encoded as if all channels mattered alike; take more "
                    + "and more varied text")
        }
        return warnings
    }
}

extension ImatrixFile.Text {
    /// Whether a text repeats itself: fewer different tokens than a twentieth of what it could have.
    fileprivate func isUniform(tokens: Int) -> Bool { distinctTokens * 20 < min(vocabulary, tokens) }
}

extension ImatrixReport.Tensor {
    /// - Returns: nil where no matrix had any rows.
    fileprivate init?(_ name: String, _ entry: ImatrixFile.Entry, in file: ImatrixFile) {
        let columns = entry.columns
        let values = entry.counts.enumerated().filter { $0.element > 0 }.flatMap { matrix, count in
            entry.sums[matrix * columns..<(matrix + 1) * columns].map { Double($0) / Double(count) }
        }
        guard let minimum = values.min(), let maximum = values.max() else { return nil }
        let parts = name.split(separator: ".")
        self.name = name
        layer = name.hasPrefix("blk.") && parts.count > 1 ? Int(parts[1]) : nil
        kind = parts.last == "weight" && parts.count > 1 ? String(parts[parts.count - 2]) : name
        self.minimum = minimum
        self.maximum = maximum
        count = values.count
        let number = Double(values.count)
        let sum = values.reduce(0, +)
        let mean = sum / number
        let deviation = max(0, values.reduce(0) { $0 + $1 * $1 } / number - mean * mean).squareRoot()
        self.sum = sum
        self.mean = mean
        self.deviation = deviation
        active = Double(values.count { $0 > 1e-5 }) / number
        entropy = sum > 0 ? -values.reduce(0) { $1 > 0 ? $0 + $1 / sum * log2($1 / sum) : $0 } : 0
        normalizedEntropy = values.count > 1 ? entropy / log2(number) : 0
        outliers = deviation > 0 ? Double(values.count { ($0 - mean) / deviation > 1 }) / number : 0
        let before = layer.flatMap { layer in
            layer < 1 ? nil : file.entries["blk.\(layer - 1).\(parts.dropFirst(2).joined(separator: "."))"]
        }
        similarity = before.map { Self.cosine(entry.sums, $0.sums) } ?? 0
    }

    /// 0 where one of the two is zero, or they differ in length.
    private static func cosine(_ a: [Float], _ b: [Float]) -> Double {
        guard a.count == b.count else { return 0 }
        var (product, left, right) = (0.0, 0.0, 0.0)
        for (x, y) in zip(a, b) {
            product += Double(x) * Double(y)
            left += Double(x) * Double(x)
            right += Double(y) * Double(y)
        }
        return left > 0 && right > 0 ? product / (left * right).squareRoot() : 0
    }
}

extension ImatrixReport.Layer {
    fileprivate init(_ layer: Int, _ tensors: [ImatrixReport.Tensor]) {
        let count = tensors.reduce(0.0) { $0 + Double($1.count) }
        func average(_ value: (ImatrixReport.Tensor) -> Double) -> Double {
            tensors.reduce(0) { $0 + Double($1.count) * value($1) } / count
        }
        self.layer = layer
        sum = average(\.sum)
        outliers = average(\.outliers)
        similarity = average(\.similarity)
    }
}

extension ImatrixReport.Coverage {
    init(_ name: String, _ counts: [Float]) {
        let sorted = counts.sorted().map { Double($0) }
        self.name = name
        experts = counts.count
        missing = counts.indices.filter { counts[$0] == 0 }
        least = sorted.first ?? 0
        most = sorted.last ?? 0
        let middle = sorted.count / 2
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
