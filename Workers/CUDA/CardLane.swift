import QuernCUDA
import QuernFormats
import QuernKernels

/// A stream of a card, with the buffers of one call at a time.
///
/// While one lane computes, others copy: a card with as many lanes as the worker has slots is busy as long as they are.
final class CardLane: @unchecked Sendable {
    // Unchecked: a card lends it to one thread at a time.
    private unowned let card: Card
    private let context: CUDAContext
    private let stream: CUDAStream
    private let done: CUDAEvent
    private var values: DeviceMemory?
    /// The same as BF16.
    private var numbers: DeviceMemory?
    private var importance: DeviceMemory?
    private var means: DeviceMemory?
    private var encoded: DeviceMemory?
    private var decoded: DeviceMemory?
    private var sums: DeviceMemory?
    private var toCard: PinnedMemory?
    private var fromCard: PinnedMemory?
    private let feedbacks = CardFeedback.Last()
    private let refining: CardRefining
    /// Made when the first weights come.
    private var weights: CardWeights?

    /// Threads of a block: few, for each has a frame of kilobytes.
    static let threads = 64

    init(_ card: Card, _ context: CUDAContext) throws {
        self.card = card
        self.context = context
        stream = try CUDAStream(context)
        done = try CUDAEvent(context)
        refining = CardRefining(context, stream, feedbacks)
    }

    /// Σ(x − x̂)² and Σx² of a row, as the kernel writes them.
    struct RowSums: BitwiseCopyable {
        let error, norm: Double
    }

    /// See `EncodingEngine.encode`.
    func encode(
        _ type: ElementType, rows: UnsafeBufferPointer<Float>, columns: Int,
        importance: UnsafeBufferPointer<Float>?, into target: UnsafeMutableRawBufferPointer,
        error: inout EncodingError?
    ) throws {
        let program = try card.program(.blocks(type)), rowProgram = try card.program(.rows)
        try withRows(type, rows, columns: columns, importance: importance, into: target, error: &error) { rows in
            var means: DeviceMemory?
            if rows.importance != nil, DeviceProgram.usesRowMeans(type) {
                let found = try context.room(&self.means, for: rows.count * 4)
                try stream.launch(rowProgram, DeviceProgram.rowMeans, threads: rows.count, block: Self.threads) {
                    $0.append(rows.values)
                    $0.append(counts: rows.count, columns)
                    $0.append(found)
                }
                means = found
            }
            let blocks = rows.count * columns / type.blockSize
            try stream.launch(program, DeviceProgram.encoder(type), threads: blocks, block: Self.threads) {
                $0.append(rows.values)
                $0.append(counts: blocks, type.blockSize, target.count / blocks, columns)
                $0.append(rows.importance?.address ?? 0)
                $0.append(means?.address ?? 0)
                $0.append(rows.encoded)
            }
        }
    }

    /// See `EncodingEngine.refine`.
    func refine(
        _ type: ElementType, rows: UnsafeBufferPointer<Float>, columns: Int, by refining: Refining,
        into target: UnsafeMutableRawBufferPointer, error: inout EncodingError?
    ) throws {
        let programs = CardRefining.Programs(
            type: type, refining: try card.program(.refining(type)), blocks: try card.program(.blocks(type)),
            rows: try card.program(.rows))
        try refining.importance.withUnsafeBufferPointer { importance in
            try withRows(type, rows, columns: columns, importance: importance, into: target, error: &error) {
                try self.refining.refine($0, by: refining.feedback, programs)
            }
        }
    }

    /// Sends rows, has `body` start what encodes them, and takes the blocks from the card.
    private func withRows(
        _ type: ElementType, _ rows: UnsafeBufferPointer<Float>, columns: Int,
        importance weights: UnsafeBufferPointer<Float>?, into target: UnsafeMutableRawBufferPointer,
        error: inout EncodingError?, _ body: (CardRows.Sent) throws -> Void
    ) throws {
        guard !rows.isEmpty else { return }
        let rowProgram = try card.program(.rows), rowCount = rows.count / columns
        let sumBytes = rowCount * MemoryLayout<RowSums>.stride
        // In one the values are followed by the importance, in the other the sums by the blocks, which need no alignment.
        let outgoing = try context.room(&toCard, for: rows.count * 4 + (weights?.count ?? 0) * 4).bytes
        let incoming = try context.room(&fromCard, for: sumBytes + target.count).bytes
        let sent = CardRows.Sent(
            count: rowCount, columns: columns, values: try context.room(&self.values, for: rows.count * 4),
            importance: try weights.map { try context.room(&self.importance, for: $0.count * 4) },
            encoded: try context.room(&self.encoded, for: target.count))
        try CardRows(stream: stream, program: rowProgram).send(
            rows, through: UnsafeMutableRawBufferPointer(rebasing: outgoing[..<(rows.count * 4)]),
            numbers: { try context.room(&numbers, for: rows.count * 2) }, to: sent.values)
        if let weights, let importance = sent.importance {
            let place = UnsafeMutableRawBufferPointer(rebasing: outgoing[(rows.count * 4)...])
            place.copyMemory(from: UnsafeRawBufferPointer(weights))
            try stream.copy(UnsafeRawBufferPointer(rebasing: place[..<(weights.count * 4)]), to: importance)
        }
        try body(sent)
        let sumPlace = UnsafeMutableRawBufferPointer(rebasing: incoming[..<sumBytes])
        let blockPlace = UnsafeMutableRawBufferPointer(rebasing: incoming[sumBytes..<sumBytes + target.count])
        try stream.copy(sent.encoded, to: blockPlace)
        if error != nil { try measure(type, sent, into: sumPlace) }
        try stream.record(done)
        try done.synchronize()
        target.copyMemory(from: UnsafeRawBufferPointer(blockPlace))
        error?.add(UnsafeRawBufferPointer(sumPlace).bindMemory(to: RowSums.self))
    }

    /// Sums up what is lost of each row.
    private func measure(_ type: ElementType, _ rows: CardRows.Sent, into place: UnsafeMutableRawBufferPointer) throws {
        let program = try card.program(.blocks(type)), rowProgram = try card.program(.rows)
        let values = rows.count * rows.columns, blocks = values / type.blockSize
        let decoded = try context.room(&self.decoded, for: values * 4)
        let sums = try context.room(&self.sums, for: place.count)
        try stream.launch(program, DeviceProgram.decoder(type), threads: blocks, block: Self.threads) {
            $0.append(rows.encoded)
            $0.append(counts: blocks, type.blockSize, type.bytes(elements: type.blockSize) ?? 0)
            $0.append(decoded)
        }
        try stream.launch(rowProgram, DeviceProgram.rowErrors, threads: rows.count, block: Self.threads) {
            $0.append(rows.values)
            $0.append(decoded)
            $0.append(counts: rows.count, rows.columns)
            $0.append(sums)
        }
        try stream.copy(sums, to: place)
    }

    /// See `WeightEngine.round`.
    func round(
        _ rows: UnsafeBufferPointer<Float>, by rounding: WeightRounding, original: UnsafeBufferPointer<Float>,
        into outputs: [WeightComponent: UnsafeMutableRawBufferPointer], error: inout EncodingError
    ) throws {
        let weights =
            try self.weights
            ?? CardWeights(
                context, stream, feedbacks, program: card.program(.weights), rowProgram: card.program(.rows))
        self.weights = weights
        try weights.round(rows, by: rounding, original: original, into: outputs, error: &error)
    }
}

extension EncodingError {
    /// Adds what was lost of rows, one after the other.
    mutating func add(_ rows: UnsafeBufferPointer<CardLane.RowSums>) {
        for row in rows {
            squaredError += row.error
            squaredNorm += row.norm
        }
    }
}
