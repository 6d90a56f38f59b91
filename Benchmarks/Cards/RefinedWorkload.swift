import QuernFormats
import QuernKernels
import QuernWorker

/// Refines the rows of a `TypeWorkload`.
struct RefinedWorkload {
    private let setup: Setup
    private let rows: TypeWorkload
    private let columns: Int
    private let threads: Int
    /// The upper triangle of the Gram matrix of inputs as correlated as neighbours in a text.
    private let gram: [Double]

    init(setup: Setup, rows: TypeWorkload, columns: Int, threads: Int) throws {
        (self.setup, self.rows, self.columns, self.threads) = (setup, rows, columns, threads)
        var correlations: [Double] = [1]
        for _ in 1..<columns { correlations.append(correlations[correlations.count - 1] * 0.9) }
        let roots = rows.importance.map { Double($0).squareRoot() }
        gram = (0..<columns).flatMap { row in
            (row..<columns).map { roots[row] * roots[$0] * correlations[$0 - row] }
        }
    }

    func measure(_ type: ElementType) throws -> SchemeFigures {
        let block = try Feedback.Block(
            gram: gram[...], count: columns, first: 0, unit: type.blockSize, run: type.refinedRun)
        let refining = Refining(importance: rows.importance, feedback: SharedFeedback(Feedback(blocks: [block])))
        let count = rows.values.count, few = min(count, Kernels.refinedRows * columns)
        @Sendable func refine(_ count: Int, on engine: any EncodingEngine) throws -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: type.bytes(elements: count) ?? 0)
            var error: EncodingError?
            try rows.values.withUnsafeBufferPointer { values in
                try bytes.withUnsafeMutableBytes {
                    try engine.refine(
                        type, rows: UnsafeBufferPointer(rebasing: values[..<count]), columns: columns, by: refining,
                        into: $0, error: &error, Scratch())
                }
            }
            return bytes
        }
        return SchemeFigures(
            name: "\(type) refined", floor: nil,
            card: try rate(weights: count, threads: threads, seconds: setup.seconds) {
                _ = try refine(count, on: setup.engine)
            },
            core: try rate(weights: few, threads: 1, seconds: setup.seconds) {
                _ = try refine(few, on: ProcessorEngine())
            },
            isEqual: try refine(few, on: setup.engine) == refine(few, on: ProcessorEngine()))
    }
}
