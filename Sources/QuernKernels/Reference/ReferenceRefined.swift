import QuernFormats

/// `Kernels.refine` in plain Swift: slow, readable, with its bytes.
public enum ReferenceRefined {
    /// Sizes of scales that are tried, beside the encoder's own.
    private static let sizes: [Float] = [1, 0.96, 1.04, 0.92, 1.08]

    /// - Parameters: as those of `Kernels.refine`.
    public static func encode(
        _ type: ElementType, rows: [Float], columns: Int, importance: [Float], feedback: Feedback
    ) -> [UInt8] {
        guard let grid = ReferenceGrid(type) else { preconditionFailure("no refined encoder for \(type)") }
        return stride(from: 0, to: rows.count, by: columns).flatMap { row in
            encode(Array(rows[row..<row + columns]), type, grid, importance, feedback)
        }
    }

    private static func encode(
        _ row: [Float], _ type: ElementType, _ grid: ReferenceGrid, _ importance: [Float], _ feedback: Feedback
    ) -> [UInt8] {
        let (size, bytes) = (type.blockSize, type.blockBytes)
        var encoded = [UInt8](repeating: 0, count: row.count / size * bytes)
        for block in feedback.blocks {
            // By place in the order.
            let weights = block.order.map { row[block.first + Int($0)] }
            var differences: [Float] = []
            for first in stride(from: 0, to: weights.count, by: size) {
                let columns = block.order[first..<first + size].map { Int($0) % size }
                let start = block.first + Int(block.order[first]) / size * size
                let corrected = (0..<size).map { place in
                    differences.indices.reduce(weights[first + place]) {
                        $0 + block.factor($1, first + place) * differences[$1]
                    }
                }
                var natural = [Float](repeating: 0, count: size)
                for (place, column) in columns.enumerated() { natural[column] = corrected[place] }
                let usual = usually(natural, type, Array(importance[start..<start + size]))
                var least = Float.infinity
                var best: Trial?
                for factor in sizes {
                    let trial = Trial(
                        usual, factor, grid, block, first: first, columns: columns, corrected: corrected,
                        weights: weights)
                    // The first stands whatever it loses.
                    guard best == nil || trial.loss < least else { continue }
                    (best, least) = (trial, trial.loss)
                }
                guard let best else { continue }
                encoded.replaceSubrange(start / size * bytes..<(start / size + 1) * bytes, with: best.encoded)
                differences += best.differences
            }
        }
        return encoded
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

    /// A block rounded with one size of its scales.
    private struct Trial {
        private(set) var encoded: [UInt8]
        private(set) var differences: [Float] = []
        private(set) var loss: Float = 0

        init(
            _ usual: [UInt8], _ factor: Float, _ grid: ReferenceGrid, _ block: Feedback.Block, first: Int,
            columns: [Int], corrected: [Float], weights: [Float]
        ) {
            encoded = usual
            let at = grid.scaleOffset
            let scale = Float(Float16(bitPattern: UInt16(usual[at]) | UInt16(usual[at + 1]) << 8))
            encoded.replaceSubrange(at..<at + 2, with: (scale * factor).halfBits.littleEndianBytes)
            for (place, column) in columns.enumerated() {
                let value = differences.indices.reduce(corrected[place]) {
                    $0 + block.factor(first + $1, first + place) * differences[$1]
                }
                let (scale, offset) = grid.scale(of: column, in: encoded)
                let quotient = scale == 0 ? 0 : (value - offset) / scale
                let (code, number) = grid.nearest(quotient)
                grid.store(code, of: column, in: &encoded)
                let made = number * scale + offset
                differences.append(weights[first + place] - made)
                loss += block.variances[first + place] * ((value - made) * (value - made))
            }
        }
    }
}

extension ReferenceGrid {
    /// The code nearest to a value that has been divided by the scale, and what it stands for.
    fileprivate func nearest(_ quotient: Float) -> (code: Int, number: Float) {
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
