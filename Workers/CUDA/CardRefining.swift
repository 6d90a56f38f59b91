import QuernCUDA
import QuernFormats
import QuernKernels

/// Refines blocks on a card, in the stream of a lane: block after block of columns, all rows at once. Used by one thread at
/// a time.
final class CardRefining {
    private let context: CUDAContext
    private let stream: CUDAStream
    private let feedbacks: CardFeedback.Last
    private var buffers: [Use: DeviceMemory] = [:]

    private enum Use { case weights, differences, work, natural, encoded, means, weighed }

    init(_ context: CUDAContext, _ stream: CUDAStream, _ feedbacks: CardFeedback.Last) {
        (self.context, self.stream, self.feedbacks) = (context, stream, feedbacks)
    }

    /// The programs of a type.
    struct Programs {
        let type: ElementType
        /// `DeviceProgram.refining`, `.blocks`, `.rows`.
        let refining, blocks, rows: Card.Loaded

        var hasCodeBook: Bool { type.refinedRun > 1 }
    }

    /// Starts what makes `rows.encoded` of `rows.values`; see `EncodingEngine.refine`.
    /// - Parameter rows: with importance.
    func refine(_ rows: CardRows.Sent, by source: SharedFeedback, _ programs: Programs) throws {
        guard let importance = rows.importance else { preconditionFailure("rows are refined by importance") }
        let feedback = try feedbacks.make(of: source, context, stream)
        let lanes = WeightKernel.lanes, tiles = (rows.count + lanes - 1) / lanes
        let values = tiles * lanes * rows.columns * 4
        let matrix = Matrix(
            rows: rows, tiles: tiles, weights: try room(.weights, values), differences: try room(.differences, values),
            work: try room(.work, tiles * RefineKernel.workBytes))
        for (block, columns) in zip(feedback.blocks, source.value.blocks) {
            try launch(.tiles, programs, threads: tiles * lanes * block.count) {
                $0.append(rows.values)
                $0.append(counts: rows.count, rows.columns)
                $0.append(block)
                $0.append(matrix.weights)
            }
            let importance = try searchedBy(importance, columns: rows.columns, block, programs)
            for first in stride(from: 0, to: block.count, by: programs.type.blockSize) {
                // Columns of a block of the type follow each other in the order of the feedback.
                let column = (block.first + Int(columns.order[first])) / programs.type.blockSize
                try refine(matrix, block, first, (importance, column * programs.type.blockSize), programs)
            }
        }
        withExtendedLifetime(feedback) {}
    }

    private struct Matrix {
        let rows: CardRows.Sent
        let tiles: Int
        let weights, differences, work: DeviceMemory
    }

    /// What the scales of the columns of a feedback's block are searched by.
    private func searchedBy(
        _ importance: DeviceMemory, columns: Int, _ block: DeviceFeedback, _ programs: Programs
    ) throws -> DeviceMemory {
        guard programs.hasCodeBook else { return importance }
        let weighed = try room(.weighed, columns * 4)
        try launch(.weigh, programs, threads: block.count) {
            $0.append(block)
            $0.append(importance)
            $0.append(weighed)
        }
        return weighed
    }

    /// Refines a block of columns.
    /// - Parameters:
    ///   - first: of them in the order of the feedback.
    ///   - importance: of all columns, and which of them is the block's first.
    private func refine(
        _ matrix: Matrix, _ block: DeviceFeedback, _ first: Int, _ importance: (memory: DeviceMemory, column: Int),
        _ programs: Programs
    ) throws {
        let type = programs.type, size = type.blockSize, lanes = WeightKernel.lanes
        let (tiles, columns) = (matrix.tiles, matrix.rows.columns)
        let natural = try room(.natural, tiles * lanes * size * 4)
        try launch(.correct, programs, threads: tiles * lanes * size / WeightKernel.step) {
            $0.append(matrix.weights)
            $0.append(counts: tiles, columns)
            $0.append(block)
            $0.append(counts: first)
            for memory in [matrix.differences, matrix.work, natural] { $0.append(memory) }
        }
        let encoded = try encode(natural, rows: tiles * lanes, importance, programs)
        // With a code book each size goes by what the one before has found.
        let together = programs.hasCodeBook ? 1 : RefineKernel.trials
        for trial in stride(from: 0, to: RefineKernel.trials, by: together) {
            try launch(.attempt, programs, threads: tiles * lanes * together) {
                $0.append(matrix.weights)
                $0.append(counts: tiles, columns)
                $0.append(block)
                $0.append(counts: first, trial, together)
                $0.append(encoded)
                $0.append(matrix.work)
            }
        }
        try launch(.keep, programs, threads: tiles * lanes * size) {
            $0.append(counts: tiles, columns, first)
            $0.append(matrix.work)
            $0.append(matrix.differences)
        }
        try launch(.store, programs, threads: matrix.rows.count) {
            $0.append(counts: matrix.rows.count, columns)
            $0.append(block)
            $0.append(counts: first)
            $0.append(matrix.work)
            $0.append(matrix.rows.encoded)
        }
    }

    /// Has the type's usual encoder find the scales of corrected columns, [rows, columns of a block].
    private func encode(
        _ natural: DeviceMemory, rows: Int, _ importance: (memory: DeviceMemory, column: Int), _ programs: Programs
    ) throws -> DeviceMemory {
        let type = programs.type, size = type.blockSize, bytes = type.bytes(elements: size) ?? 0
        var means: DeviceMemory?
        if DeviceProgram.usesRowMeans(type) {
            let found = try room(.means, rows * 4)
            try stream.launch(programs.rows, DeviceProgram.rowMeans, threads: rows) {
                $0.append(natural)
                $0.append(counts: rows, size)
                $0.append(found)
            }
            means = found
        }
        let encoded = try room(.encoded, rows * bytes)
        try stream.launch(programs.blocks, DeviceProgram.encoder(type), threads: rows, block: CardLane.threads) {
            $0.append(natural)
            $0.append(counts: rows, size, bytes, size)
            $0.append(importance.memory, at: importance.column * 4)
            $0.append(means?.address ?? 0)
            $0.append(encoded)
        }
        return encoded
    }

    private func room(_ use: Use, _ count: Int) throws -> DeviceMemory { try context.room(&buffers[use], for: count) }

    private func launch(
        _ kernel: RefineKernel, _ programs: Programs, threads: Int, _ arguments: (inout LaunchArguments) -> Void
    ) throws {
        try stream.launch(programs.refining, kernel.name(programs.type), threads: threads, arguments)
    }
}
