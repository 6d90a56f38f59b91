import Foundation
import QuernPlanning

/// The head: hidden states to logits, in blocks of the vocabulary. Small heads stay packed, large ones are read anew for
/// every product.
final class HeadWeights: @unchecked Sendable {
    private let head: DecoderGraph.Head
    private let loader: WeightLoader
    private let lock = NSLock()
    private var kept: [Int: any WeightMatrix] = [:]

    /// Tokens of a block: it depends on nothing, so that sums do not either.
    private static let blockTokens = 2048
    /// Packed weights that are kept.
    private static let keptBytes = 192 << 20

    init(head: DecoderGraph.Head, loader: WeightLoader) {
        self.head = head
        self.loader = loader
    }

    /// - Parameters:
    ///   - input: [padded rows, hidden].
    ///   - result: in the processor's memory.
    func multiply(
        _ input: any ValueBuffer, rows: Int, into result: Rows, _ crew: Crew, _ progress: (Double) throws -> Void
    ) throws {
        guard let part = head.linear.parts.first else { return }
        let blocks = (part.outputs + Self.blockTokens - 1) / Self.blockTokens
        let bias = try loader.bias(part)
        let target = Target(rows: result)
        try crew.forEach(blocks, tick: progress) { [self] index, lane in
            let tokens = index * Self.blockTokens..<min(part.outputs, (index + 1) * Self.blockTokens)
            let matrix = try matrix(index, part.weight, tokens, lane)
            let width = tokens.count
            let block = Rows(base: try lane.take(.output, RowPadding.up(rows) * width), stride: width)
            try lane.multiply(input.base, by: matrix, rows: rows, into: block.base)
            if let bias {
                let some = Rows(base: bias.base + tokens.lowerBound, stride: 0)
                try lane.add(some, scale: 1, to: block, width: width, count: rows)
            }
            if let softCap = head.softCap {
                try lane.softCap(block, scale: head.scale, cap: softCap, width: width, count: rows)
            } else if head.scale != 1 {
                try lane.scale(block, by: head.scale, width: width, count: rows)
            }
            try lane.read(block.base, count: rows * width) { values in
                guard let base = values.baseAddress else { return }
                for row in 0..<rows {
                    (target.rows[row] + tokens.lowerBound).update(from: base + row * width, count: width)
                }
            }
        }
    }

    private struct Target: @unchecked Sendable { let rows: Rows }

    private func matrix(
        _ block: Int, _ name: String, _ tokens: Range<Int>, _ lane: any ForwardLane
    ) throws -> any WeightMatrix {
        if let matrix = lock.withLock({ kept[block] }) { return matrix }
        let matrix = try loader.load(name, rows: tokens, lane)
        if head.linear.outputs * head.linear.inputs * 4 <= Self.keptBytes { lock.withLock { kept[block] = matrix } }
        return matrix
    }
}
