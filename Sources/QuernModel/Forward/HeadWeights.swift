import Foundation
import QuernPlanning

/// The head: hidden states to logits, in blocks of the vocabulary. Small heads stay packed, large ones are read anew for
/// every product.
final class HeadWeights: @unchecked Sendable {
    private let head: DecoderGraph.Head
    private let loader: WeightLoader
    private let engine: MatrixEngine
    private let lock = NSLock()
    private var kept: [Int: PackedMatrix] = [:]

    /// Tokens of a block: it depends on nothing, so that sums do not either.
    private static let blockTokens = 2048
    /// Packed weights that are kept.
    private static let keptBytes = 192 << 20

    init(head: DecoderGraph.Head, loader: WeightLoader, engine: MatrixEngine) {
        self.head = head
        self.loader = loader
        self.engine = engine
    }

    /// - Parameter input: [padded(rows), hidden].
    func multiply(
        _ input: FloatBuffer, rows: Int, into result: Rows, _ crew: Crew, _ progress: (Double) throws -> Void
    ) throws {
        guard let part = head.linear.parts.first else { return }
        let blocks = (part.outputs + Self.blockTokens - 1) / Self.blockTokens
        let bias = try loader.bias(part)
        let target = Target(rows: result)
        try crew.forEach(blocks, tick: progress) { [self] index, workspace in
            let tokens = index * Self.blockTokens..<min(part.outputs, (index + 1) * Self.blockTokens)
            let matrix = try matrix(index, part.weight, tokens, workspace)
            let block = Rows(
                base: workspace.take(.output, PackedMatrix.padded(rows) * tokens.count), stride: tokens.count)
            try matrix.multiply(input.base, rows: rows, into: block.base, workspace)
            for row in 0..<rows {
                let place = target.rows[row] + tokens.lowerBound
                place.update(from: block[row], count: tokens.count)
                if let bias {
                    bias[tokens].withUnsafeBufferPointer { bias in
                        if let base = bias.baseAddress { engine.steps.add(place, base, tokens.count, 1) }
                    }
                }
                if let softCap = head.softCap {
                    engine.steps.soft_cap(place, tokens.count, head.scale, softCap)
                } else if head.scale != 1 {
                    engine.steps.scale(place, tokens.count, head.scale)
                }
            }
        }
    }

    private struct Target: @unchecked Sendable { let rows: Rows }

    private func matrix(
        _ block: Int, _ name: String, _ tokens: Range<Int>, _ workspace: Workspace
    ) throws -> PackedMatrix {
        if let matrix = lock.withLock({ kept[block] }) { return matrix }
        let matrix = try loader.load(name, rows: tokens, workspace)
        if head.linear.outputs * head.linear.inputs * 4 <= Self.keptBytes { lock.withLock { kept[block] = matrix } }
        return matrix
    }
}
