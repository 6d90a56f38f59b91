import QuernFormats

/// `Kernels.refine` in plain Swift: slow, readable, with its bytes.
public enum ReferenceRefined {
    /// Sizes of scales that are tried, the encoder's own first.
    private static let sizes: [Float] = [1, 0.96, 1.04, 0.92, 1.08]

    private enum Grid {
        case numbers(ReferenceGrid)
        case points(ReferencePointGrid)
    }

    /// - Parameters: as those of `Kernels.refine`.
    public static func encode(
        _ type: ElementType, rows: [Float], columns: Int, importance: [Float], feedback: Feedback
    ) -> [UInt8] {
        guard let grid = ReferenceGrid(type).map(Grid.numbers) ?? ReferencePointGrid(type).map(Grid.points) else {
            preconditionFailure("no refined encoder for \(type)")
        }
        return stride(from: 0, to: rows.count, by: columns).flatMap { row in
            encode(Array(rows[row..<row + columns]), type, grid, importance, feedback)
        }
    }

    private static func encode(
        _ row: [Float], _ type: ElementType, _ grid: Grid, _ importance: [Float], _ feedback: Feedback
    ) -> [UInt8] {
        let (size, bytes) = (type.blockSize, type.blockBytes)
        var encoded = [UInt8](repeating: 0, count: row.count / size * bytes)
        for block in feedback.blocks {
            let weights = block.order.map { row[block.first + Int($0)] }
            var differences: [Float] = []
            for first in stride(from: 0, to: weights.count, by: size) {
                let start = block.first + Int(block.order[first]) / size * size
                let columns = RefinedColumns(
                    block, first: first, weights: Array(weights[first..<first + size]), earlier: differences)
                let trial = best(columns, type, grid, Array(importance[start..<start + size]))
                encoded.replaceSubrange(start / size * bytes..<(start / size + 1) * bytes, with: trial.encoded)
                differences += trial.differences
            }
        }
        return encoded
    }

    /// Of all sizes of the scales what loses least; the first stands whatever it loses.
    private static func best(
        _ columns: RefinedColumns, _ type: ElementType, _ grid: Grid, _ importance: [Float]
    ) -> RefinedTrial {
        let trials: [RefinedTrial]
        switch grid {
        case .numbers(let grid):
            let usual = usually(columns.natural, type, importance)
            trials = sizes.map { grid.round(columns, usual, size: $0) }
        case .points(let grid):
            let usual = usually(columns.natural, type, columns.weighed(importance))
            var scales: [Float]?
            trials = sizes.map { size in
                let (trial, fitted) = grid.round(columns, usual, size: size, scales: scales)
                scales = fitted
                return trial
            }
        }
        return trials.dropFirst().reduce(trials[0]) { $1.loss < $0.loss ? $1 : $0 }
    }

    /// The block as the type's usual encoder has it.
    private static func usually(_ values: [Float], _ type: ElementType, _ importance: [Float]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: type.blockBytes)
        bytes.withUnsafeMutableBytes { bytes in
            values.withUnsafeBufferPointer { values in
                importance.withUnsafeBufferPointer {
                    ReferenceEncoder.encode(type, rows: values, columns: values.count, importance: $0, into: bytes)
                }
            }
        }
        return bytes
    }
}

/// The columns of a block, in the order of the feedback.
struct RefinedColumns {
    /// Where in the block each of them lies.
    let columns: [Int]
    let weights: [Float]
    let variances: [Float]
    /// Corrected by the columns of earlier blocks.
    private let corrected: [Float]
    private let feedback: Feedback.Block
    private let first: Int

    /// - Parameters:
    ///   - first: the place of the first column in the order.
    ///   - earlier: the differences of all columns before it.
    init(_ feedback: Feedback.Block, first: Int, weights: [Float], earlier differences: [Float]) {
        self.feedback = feedback
        self.first = first
        self.weights = weights
        columns = feedback.order[first..<first + weights.count].map { Int($0) % weights.count }
        variances = Array(feedback.variances[first..<first + weights.count])
        corrected = weights.enumerated().map { place, weight in
            let sum = differences.indices.reduce(weight) {
                $0 + feedback.factor($1, first + place) * differences[$1]
            }
            // Where an earlier block has a scale beyond half precision nothing is known by which to correct.
            return sum.isFinite ? sum : weight
        }
    }

    /// The corrected columns as they follow each other in the block.
    var natural: [Float] {
        var values = corrected
        for (place, column) in columns.enumerated() { values[column] = corrected[place] }
        return values
    }

    /// √(importance · D): between what errors matter by themselves and what they do when later columns make good what
    /// they can.
    func weighed(_ importance: [Float]) -> [Float] {
        var weighed = importance
        for (place, column) in columns.enumerated() {
            weighed[column] = (importance[column] * variances[place]).squareRoot()
        }
        return weighed
    }

    /// V of two of them.
    func factor(_ earlier: Int, _ later: Int) -> Float { feedback.factor(first + earlier, first + later) }

    /// A column corrected by the columns before it too.
    func value(_ place: Int, _ differences: [Float]) -> Float {
        differences.indices.reduce(corrected[place]) { $0 + factor($1, place) * differences[$1] }
    }
}

/// A block rounded with one size of its scales.
struct RefinedTrial {
    var encoded: [UInt8]
    var differences: [Float] = []
    var loss: Float = 0
}

extension ReferenceGrid {
    /// - Parameters:
    ///   - usual: the block with the scales of the type's usual encoder.
    ///   - size: by which they are multiplied.
    fileprivate func round(_ columns: RefinedColumns, _ usual: [UInt8], size: Float) -> RefinedTrial {
        var trial = RefinedTrial(encoded: usual)
        let at = scaleOffset
        let scale = Float(Float16(bitPattern: UInt16(usual[at]) | UInt16(usual[at + 1]) << 8))
        trial.encoded.replaceSubrange(at..<at + 2, with: (scale * size).halfBits.littleEndianBytes)
        for (place, column) in columns.columns.enumerated() {
            let value = columns.value(place, trial.differences)
            let (scale, offset) = self.scale(of: column, in: trial.encoded)
            let (code, number) = nearest(scale == 0 ? 0 : (value - offset) / scale)
            store(code, of: column, in: &trial.encoded)
            let made = number * scale + offset
            trial.differences.append(columns.weights[place] - made)
            trial.loss += columns.variances[place] * ((value - made) * (value - made))
        }
        return trial
    }

    /// The code nearest to a value that has been divided by the scale, and what it stands for.
    private func nearest(_ quotient: Float) -> (code: Int, number: Float) {
        guard let centre else {
            let code = quotient.isNaN ? 0 : ReferenceSearch.nonlinearIndex(quotient)
            return (code, ReferenceSearch.nonlinearLevels[code])
        }
        let sum = quotient + Float(centre)
        // A NaN is as good as zero.
        let held = min(sum > 0 ? sum : 0, Float(codes - 1))
        let code = Int(held.rounded(.toNearestOrEven))
        return (code, Float(code) - Float(centre))
    }
}
