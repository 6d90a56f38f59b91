import QuernFormats
import QuernPlanning

/// Sums over the rows that linear layers read at one place of a model.
public struct InputStatistics: Sendable, Equatable {
    /// Of the place: the first of `tensors`.
    public let name: String
    /// GGUF names of the weights that multiply this input, sorted.
    public let tensors: [String]
    /// Width of a row.
    public let channels: Int
    /// Rows summed, for each matrix.
    public var counts: [Int64]
    /// Σx², matrix after matrix, each of `channels` values.
    public var squares: [Double]
    /// Σ|x|, likewise.
    public var magnitudes: [Double]
    /// max|x|, likewise; 0 where there were no rows.
    public var maxima: [Float]
    /// XᵀX for each matrix; nil where it was not asked for.
    public var gram: GramMatrices?

    public var matrices: Int { counts.count }

    public init(name: String, tensors: [String], channels: Int, matrices: Int) {
        self.name = name
        self.tensors = tensors
        self.channels = channels
        counts = Array(repeating: 0, count: matrices)
        squares = Array(repeating: 0, count: matrices * channels)
        magnitudes = Array(repeating: 0, count: matrices * channels)
        maxima = Array(repeating: 0, count: matrices * channels)
    }

    /// Whether all sums are finite.
    var isFinite: Bool {
        maxima.allSatisfy(\.isFinite) && squares.allSatisfy(\.isFinite) && magnitudes.allSatisfy(\.isFinite)
            && gram?.isFinite ?? true
    }

    /// Adds what was summed over later rows.
    /// - Parameter other: comparable.
    mutating func add(_ other: InputStatistics) {
        for matrix in counts.indices { counts[matrix] += other.counts[matrix] }
        for index in squares.indices {
            squares[index] += other.squares[index]
            magnitudes[index] += other.magnitudes[index]
            maxima[index] = max(maxima[index], other.maxima[index])
        }
        if let other = other.gram { gram?.add(other) }
    }
}
