import CDNNL

/// Weights [outputs, inputs] in the layout in which oneDNN multiplies best.
package final class PackedMatrix: WeightMatrix, @unchecked Sendable {
    package let outputs: Int
    package let inputs: Int
    private let engine: MatrixEngine
    /// The one whose layout the weights have.
    private let product: MatrixEngine.Product
    /// The weights, or their high halves, and the low halves where there are any.
    private let high: FloatBuffer
    private let low: FloatBuffer?

    /// Weights that are packed at a time, as long as there are `pieceMultiple` rows of them.
    private static let pieceBytes = 4 << 20
    /// oneDNN's layouts go by blocks of 16, 48 or 64 outputs.
    private static let pieceMultiple = 192
    /// Activations are multiplied in pieces of so many rows: any other number costs a primitive of its own, which is
    /// why rows are filled up.
    static let pieceRows = 512

    /// Takes memory for weights, which have to be packed before the first product.
    /// - Parameter areBF16: whether each weight is a BF16 number.
    package init(outputs: Int, inputs: Int, areBF16: Bool, engine: MatrixEngine) throws {
        self.outputs = outputs
        self.inputs = inputs
        self.engine = engine
        let isSplit = engine.precision == .splitBF16
        product = try engine.product(
            MatrixEngine.Key(isBF16: isSplit, rows: Self.pieceRows, outputs: outputs, inputs: inputs, adds: false))
        let count = (product.weightBytes + 3) / 4
        high = engine.buffers.take(count)
        low = isSplit && !areBF16 ? engine.buffers.take(count) : nil
    }

    deinit {
        engine.buffers.give(high)
        if let low { engine.buffers.give(low) }
    }

    package var pieces: [Range<Int>] {
        let step = max(1, Self.pieceBytes / (inputs * 4 * Self.pieceMultiple)) * Self.pieceMultiple
        return stride(from: 0, to: outputs, by: step).map { $0..<min(outputs, $0 + step) }
    }

    /// Packs one piece; threads may pack different ones at the same time.
    /// - Parameters:
    ///   - rows: one of `pieces`.
    ///   - values: [rows.count, inputs].
    package func pack(_ rows: Range<Int>, _ values: UnsafeMutablePointer<Float>, _ workspace: Workspace) throws {
        func pack(_ values: UnsafeRawPointer, into buffer: FloatBuffer) throws {
            guard quern_product_pack(product.handle, rows.lowerBound, rows.count, values, buffer.raw) else {
                throw MatrixEngine.failure(0, outputs, inputs)
            }
        }
        guard engine.precision == .splitBF16 else { return try pack(values, into: high) }
        let halves = split(values, rows.count * inputs, workspace)
        try pack(halves.high, into: high)
        if let low { try pack(halves.low, into: low) }
    }

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
                input + first * inputs, rows: RowPadding.up(min(Self.pieceRows, rows - first)),
                into: result + first * outputs, workspace)
        }
    }

    private func multiplyPiece(
        _ input: UnsafeMutablePointer<Float>, rows: Int, into result: UnsafeMutablePointer<Float>,
        _ workspace: Workspace
    ) throws {
        guard engine.precision == .splitBF16 else {
            return try run(input, high, rows, adds: false, result, workspace)
        }
        let halves = split(input, rows * inputs, workspace)
        // The small products first: sums lose the least that way.
        try run(halves.low, high, rows, adds: false, result, workspace)
        if let low { try run(halves.high, low, rows, adds: true, result, workspace) }
        try run(halves.high, high, rows, adds: true, result, workspace)
    }

    /// Values as sums of two BF16 numbers.
    private func split(
        _ values: UnsafeMutablePointer<Float>, _ count: Int, _ workspace: Workspace
    ) -> (high: UnsafeRawPointer, low: UnsafeRawPointer) {
        let high = UnsafeMutableRawPointer(workspace.take(.productHigh, (count + 1) / 2))
        let low = UnsafeMutableRawPointer(workspace.take(.productLow, (count + 1) / 2))
        engine.steps.split(
            values, count, high.assumingMemoryBound(to: UInt16.self), low.assumingMemoryBound(to: UInt16.self))
        return (UnsafeRawPointer(high), UnsafeRawPointer(low))
    }

    private func run(
        _ input: UnsafeRawPointer, _ weights: FloatBuffer, _ rows: Int, adds: Bool,
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
