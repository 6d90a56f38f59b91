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
    /// Made when the first weights come.
    private var weights: CardWeights?

    /// Threads of a block: few, for each has a frame of kilobytes.
    private static let threads = 64

    init(_ card: Card, _ context: CUDAContext) throws {
        self.card = card
        self.context = context
        stream = try CUDAStream(context)
        done = try CUDAEvent(context)
    }

    /// Σ(x − x̂)² and Σx² of a row, as the kernel writes them.
    struct RowSums: BitwiseCopyable {
        let error, norm: Double
    }

    /// See `EncodingEngine.encode`.
    func encode(
        _ type: ElementType, rows: UnsafeBufferPointer<Float>, columns: Int,
        importance weights: UnsafeBufferPointer<Float>?, into target: UnsafeMutableRawBufferPointer,
        error: inout EncodingError?
    ) throws {
        guard !rows.isEmpty, let blockBytes = type.bytes(elements: type.blockSize) else { return }
        let program = try card.program(.blocks(type)), rowProgram = try card.program(.rows)
        let rowCount = rows.count / columns, blocks = rows.count / type.blockSize
        let values = try context.room(&self.values, for: rows.count * 4)
        let encoded = try context.room(&self.encoded, for: target.count)
        let importance = try weights.map { try context.room(&self.importance, for: $0.count * 4) }
        let sumBytes = rowCount * MemoryLayout<RowSums>.stride

        // In one the values are followed by the importance, in the other the sums by the blocks, which need no alignment.
        let outgoing = try context.room(&toCard, for: rows.count * 4 + (weights?.count ?? 0) * 4).bytes
        let incoming = try context.room(&fromCard, for: sumBytes + target.count).bytes
        try CardRows(stream: stream, program: rowProgram).send(
            rows, through: UnsafeMutableRawBufferPointer(rebasing: outgoing[..<(rows.count * 4)]),
            numbers: { try context.room(&numbers, for: rows.count * 2) }, to: values)
        if let weights, let importance {
            let place = UnsafeMutableRawBufferPointer(rebasing: outgoing[(rows.count * 4)...])
            place.copyMemory(from: UnsafeRawBufferPointer(weights))
            try stream.copy(UnsafeRawBufferPointer(rebasing: place[..<(weights.count * 4)]), to: importance)
        }
        var means: DeviceMemory?
        if weights != nil, DeviceProgram.usesRowMeans(type) {
            let found = try context.room(&self.means, for: rowCount * 4)
            try stream.launch(rowProgram, DeviceProgram.rowMeans, threads: rowCount, block: Self.threads) {
                $0.append(values)
                $0.append(counts: rowCount, columns)
                $0.append(found)
            }
            means = found
        }
        try stream.launch(program, DeviceProgram.encoder(type), threads: blocks, block: Self.threads) {
            $0.append(values)
            $0.append(counts: blocks, type.blockSize, blockBytes, columns)
            $0.append(importance?.address ?? 0)
            $0.append(means?.address ?? 0)
            $0.append(encoded)
        }
        let sumPlace = UnsafeMutableRawBufferPointer(rebasing: incoming[..<sumBytes])
        let blockPlace = UnsafeMutableRawBufferPointer(rebasing: incoming[sumBytes..<sumBytes + target.count])
        try stream.copy(encoded, to: blockPlace)
        if error != nil {
            let decoded = try context.room(&self.decoded, for: rows.count * 4),
                sums = try context.room(&self.sums, for: sumBytes)
            try stream.launch(program, DeviceProgram.decoder(type), threads: blocks, block: Self.threads) {
                $0.append(encoded)
                $0.append(counts: blocks, type.blockSize, blockBytes)
                $0.append(decoded)
            }
            try stream.launch(rowProgram, DeviceProgram.rowErrors, threads: rowCount, block: Self.threads) {
                $0.append(values)
                $0.append(decoded)
                $0.append(counts: rowCount, columns)
                $0.append(sums)
            }
            try stream.copy(sums, to: sumPlace)
        }
        try stream.record(done)
        try done.synchronize()
        target.copyMemory(from: UnsafeRawBufferPointer(blockPlace))
        error?.add(UnsafeRawBufferPointer(sumPlace).bindMemory(to: RowSums.self))
    }

    /// See `WeightEngine.round`.
    func round(
        _ rows: UnsafeBufferPointer<Float>, by rounding: WeightRounding, original: UnsafeBufferPointer<Float>,
        into outputs: [WeightComponent: UnsafeMutableRawBufferPointer], error: inout EncodingError
    ) throws {
        let weights =
            try self.weights
            ?? CardWeights(context, stream, program: card.program(.weights), rowProgram: card.program(.rows))
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
