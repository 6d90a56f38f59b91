import CDNNL

/// Weights [outputs, inputs] in the layout in which oneDNN multiplies best, in blocks of outputs.
package final class PackedMatrix: @unchecked Sendable {
    let outputs: Int
    let inputs: Int
    private let engine: MatrixEngine
    private let blockRows: Int
    /// For each block the weights, or their high halves, and the low halves where there are any.
    private var blocks: [(high: FloatBuffer, low: FloatBuffer?)?]

    package static let usualBlockBytes = 64 << 20
    private static let leastRows = 64
    /// Activations are multiplied in pieces of so many rows: any other number costs a primitive of its own, which is
    /// why rows are filled up to a multiple of `rowMultiple`.
    static let pieceRows = 512
    static let rowMultiple = 16

    /// - Parameter blockBytes: what the values of a block take at most, as long as there are `leastRows` of them.
    package init(outputs: Int, inputs: Int, engine: MatrixEngine, blockBytes: Int = PackedMatrix.usualBlockBytes) {
        self.outputs = outputs
        self.inputs = inputs
        self.engine = engine
        let fitting = blockBytes / (inputs * 4) / Self.leastRows * Self.leastRows
        blockRows = min(outputs, max(Self.leastRows, fitting))
        blocks = Array(repeating: nil, count: (outputs + blockRows - 1) / blockRows)
    }

    deinit {
        for block in blocks {
            guard let block else { continue }
            engine.buffers.give(block.high)
            if let low = block.low { engine.buffers.give(low) }
        }
    }

    package var blockCount: Int { blocks.count }

    package func rows(of block: Int) -> Range<Int> {
        block * blockRows..<min(outputs, (block + 1) * blockRows)
    }

    /// A number of rows that is multiplied without further ado.
    package static func padded(_ rows: Int) -> Int { (rows + rowMultiple - 1) / rowMultiple * rowMultiple }

    /// Makes one block ready; different blocks may be packed at the same time.
    /// - Parameters:
    ///   - values: [rows(of: block).count, inputs].
    ///   - isBF16: whether each value is a BF16 number.
    package func packed(
        _ block: Int, _ values: UnsafeMutablePointer<Float>, isBF16: Bool, _ workspace: Workspace
    ) throws -> (high: FloatBuffer, low: FloatBuffer?) {
        let rows = rows(of: block).count
        let isSplit = engine.precision == .splitBF16
        let product = try engine.product(
            MatrixEngine.Key(
                isBF16: isSplit, rows: Self.pieceRows, outputs: rows, inputs: inputs, adds: false))
        func pack(_ rows: UnsafeRawPointer) throws -> FloatBuffer {
            let buffer = engine.buffers.take((product.weightBytes + 3) / 4)
            guard quern_product_pack(product.handle, rows, buffer.raw) else {
                throw MatrixEngine.failure(0, outputs, inputs)
            }
            return buffer
        }
        guard isSplit else { return (try pack(values), nil) }
        let count = rows * inputs
        let high = UnsafeMutableRawPointer(workspace.take(.productHigh, (count + 1) / 2))
        let low = UnsafeMutableRawPointer(workspace.take(.productLow, (count + 1) / 2))
        engine.steps.split(
            values, count, high.assumingMemoryBound(to: UInt16.self), low.assumingMemoryBound(to: UInt16.self))
        return (try pack(high), isBF16 ? nil : try pack(low))
    }

    /// To be called for each block, before the first product, by one thread at a time.
    package func set(_ block: Int, _ weights: (high: FloatBuffer, low: FloatBuffer?)) { blocks[block] = weights }

    /// result = input·Wᵀ.
    /// - Parameters:
    ///   - input: [padded(rows), inputs] without gaps; what the rows beyond `rows` hold does not matter, as long as they
    ///     are there.
    ///   - result: [padded(rows), outputs] without gaps.
    package func multiply(
        _ input: UnsafeMutablePointer<Float>, rows: Int, into result: UnsafeMutablePointer<Float>,
        _ workspace: Workspace
    ) throws {
        for first in stride(from: 0, to: rows, by: Self.pieceRows) {
            try multiplyPiece(
                input + first * inputs, rows: Self.padded(min(Self.pieceRows, rows - first)),
                into: result + first * outputs, workspace)
        }
    }

    private func multiplyPiece(
        _ input: UnsafeMutablePointer<Float>, rows: Int, into result: UnsafeMutablePointer<Float>,
        _ workspace: Workspace
    ) throws {
        var high = UnsafeRawPointer(input)
        var low: UnsafeRawPointer?
        if engine.precision == .splitBF16 {
            let count = rows * inputs
            let highs = UnsafeMutableRawPointer(workspace.take(.productHigh, (count + 1) / 2))
            let lows = UnsafeMutableRawPointer(workspace.take(.productLow, (count + 1) / 2))
            engine.steps.split(
                input, count, highs.assumingMemoryBound(to: UInt16.self), lows.assumingMemoryBound(to: UInt16.self))
            (high, low) = (UnsafeRawPointer(highs), UnsafeRawPointer(lows))
        }
        for block in blocks.indices {
            guard let weights = blocks[block] else { throw MatrixEngine.failure(rows, outputs, inputs) }
            let range = self.rows(of: block)
            // Results of a product have no gaps: those of one block among several are copied into place.
            let isWhole = blocks.count == 1
            let target = isWhole ? result : workspace.take(.productBlock, rows * range.count)
            if let low {
                // The small products first: sums lose the least that way.
                try run(low, weights.high, rows, range.count, adds: false, target, workspace)
                if let rest = weights.low { try run(high, rest, rows, range.count, adds: true, target, workspace) }
                try run(high, weights.high, rows, range.count, adds: true, target, workspace)
            } else {
                try run(high, weights.high, rows, range.count, adds: false, target, workspace)
            }
            guard !isWhole else { continue }
            for row in 0..<rows {
                (result + row * outputs + range.lowerBound).update(from: target + row * range.count, count: range.count)
            }
        }
    }

    private func run(
        _ input: UnsafeRawPointer, _ weights: FloatBuffer, _ rows: Int, _ outputs: Int, adds: Bool,
        _ result: UnsafeMutablePointer<Float>, _ workspace: Workspace
    ) throws {
        let key = MatrixEngine.Key(
            isBF16: engine.precision == .splitBF16, rows: rows, outputs: outputs, inputs: inputs, adds: adds)
        let product = try engine.product(key)
        let scratch = workspace.take(.productScratch, (product.scratchBytes + 3) / 4)
        guard quern_product_run(product.handle, input, weights.raw, result, scratch) else {
            throw MatrixEngine.failure(rows, outputs, inputs)
        }
    }
}
