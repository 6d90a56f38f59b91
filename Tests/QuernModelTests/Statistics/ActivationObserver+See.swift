import QuernModel
import QuernPlanning

extension ActivationObserver {
    /// Shows rows as a decoder does that computes on the processor.
    func see(_ rows: [Float], of input: LinearInput, matrix: Int, chunk: Int) throws {
        let engine = try MatrixEngine()
        let buffer = engine.vector(rows)
        try observe(
            input, matrix: matrix,
            rows: ObservedRows(
                buffer.base, count: rows.count / input.channels, channels: input.channels, lane: engine.makeLane()),
            chunk: chunk)
        withExtendedLifetime(buffer) {}
    }
}
