import QuernCUDA
import QuernFormats
import QuernKernels

/// Rounds weights on a card, in the stream of a lane. Used by one thread at a time.
final class CardWeights {
    let context: CUDAContext
    let stream: CUDAStream
    let done: CUDAEvent
    let program: Card.Loaded
    let rowProgram: Card.Loaded
    private var buffers: [Use: DeviceMemory] = [:]
    var toCard: PinnedMemory?
    var fromCard: PinnedMemory?
    let feedbacks: CardFeedback.Last

    enum Use {
        case rows, numbers, original, importance, lows, highs, tiles, differences, panel
        case scales, seconds, codes, packed, storedScales, zeroPoints, decoded, sums
    }

    /// Threads that take the values of a group in turn.
    static let mostPlaces = 16
    /// Values of a group that a thread has at least.
    static let valuesPerPlace = 8

    /// - Parameters:
    ///   - program: `DeviceProgram.weights`.
    ///   - rowProgram: `DeviceProgram.rows`.
    init(
        _ context: CUDAContext, _ stream: CUDAStream, _ feedbacks: CardFeedback.Last, program: Card.Loaded,
        rowProgram: Card.Loaded
    ) throws {
        (self.context, self.stream, self.feedbacks) = (context, stream, feedbacks)
        (self.program, self.rowProgram) = (program, rowProgram)
        done = try CUDAEvent(context)
    }

    /// What a call works on.
    struct Matrix {
        let layout: DeviceWeightLayout
        let rows: Int
        let columns: Int
        let groups: Int
        /// Of all rows.
        let scaleCount: Int
        let values: DeviceMemory
        let scales: DeviceMemory
        let seconds: DeviceMemory
        let codes: DeviceMemory
    }

    /// See `WeightEngine.round`.
    func round(
        _ rows: UnsafeBufferPointer<Float>, by rounding: WeightRounding, original: UnsafeBufferPointer<Float>,
        into outputs: [WeightComponent: UnsafeMutableRawBufferPointer], error: inout EncodingError
    ) throws {
        guard !rows.isEmpty else { return }
        let (format, columns) = (rounding.format, rounding.columns)
        let count = rows.count / columns, group = format.group ?? columns
        let groups = (columns + group - 1) / group
        let blockRows = format == .floatBlocks ? format.rowMultiple : 1
        let scaleCount = (count + blockRows - 1) / blockRows * groups
        try upload(rows, original: original, importance: rounding.search?.importance)
        let matrix = Matrix(
            layout: DeviceWeightLayout(
                format, source: rounding.source, columns: columns, globalScale: rounding.globalScale),
            rows: count, columns: columns, groups: groups, scaleCount: scaleCount, values: try room(.rows, 0),
            scales: try room(.scales, scaleCount * 4), seconds: try room(.seconds, scaleCount * 4),
            codes: try room(.codes, rows.count))
        if let search = rounding.search {
            try fit(matrix, search, sharesScales: blockRows > 1, group: group)
        } else {
            try findScales(matrix, group: group)
            try launch(.codes, threads: rows.count) {
                $0.append(matrix.layout)
                $0.append(matrix.values)
                $0.append(counts: count, columns)
                $0.append(matrix.scales)
                $0.append(matrix.seconds)
                $0.append(matrix.codes)
            }
        }
        try measure(matrix, against: original.baseAddress == rows.baseAddress ? matrix.values : room(.original, 0))
        try download(matrix, format, into: outputs, error: &error)
    }

    /// Memory for at least `count` bytes; where it has to grow, what was there before is lost.
    func room(_ use: Use, _ count: Int) throws -> DeviceMemory { try context.room(&buffers[use], for: count) }

    func launch(_ kernel: WeightKernel, threads: Int, _ arguments: (inout LaunchArguments) -> Void) throws {
        try stream.launch(program, kernel.rawValue, threads: threads, arguments)
    }
}
