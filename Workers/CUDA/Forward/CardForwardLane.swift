import QuernCUDA
import QuernFormats
import QuernKernels
import QuernModel

/// Steps in a stream of their own: they are given to the card, which does them one after the other.
final class CardForwardLane: ForwardLane {
    let engine: CardForwardEngine
    let stream: CUDAStream
    /// For intermediate results of products.
    let workspace: DeviceMemory
    private let done: CUDAEvent
    private var buffers: [Use: CardValues] = [:]
    private var pinned: PinnedMemory?
    private var pinnedNumbers: PinnedMemory?
    /// Whether the card may still read what was staged.
    private var isStaged = false
    /// Whether anything was given to the card since it was waited for.
    private var isBusy = false
    /// What rows were read into, and nobody reads now.
    private var returned: [PinnedMemory] = []
    private var lists: CardLists?
    /// What steps read that may not be done yet: with their last reference its memory would be another's.
    private var held: [AnyObject] = []

    /// What the lane's buffers are for.
    enum Use: Hashable {
        case rows(RowUse)
        case weights, high, low, sums, means, factors, maxima, moments, products
    }

    init(_ engine: CardForwardEngine) throws {
        self.engine = engine
        stream = try CUDAStream(engine.context)
        done = try CUDAEvent(engine.context)
        workspace = try DeviceMemory(engine.context, count: max(1, engine.products.workspaceLimit))
    }

    func take(_ use: RowUse, _ count: Int) throws -> UnsafeMutablePointer<Float> { try take(.rows(use), count) }

    func take(_ use: Use, _ count: Int) throws -> UnsafeMutablePointer<Float> {
        if let buffer = buffers[use], buffer.count >= count { return buffer.base }
        // Others may get the memory as soon as it is let go.
        try finish()
        buffers[use] = nil
        let buffer = try engine.pool.take(count)
        buffers[use] = buffer
        return buffer.base
    }

    func staging(_ count: Int) throws -> UnsafeMutablePointer<Float> {
        if isStaged { try finish() }
        let memory = try engine.context.room(&pinned, for: count * MemoryLayout<Float>.stride)
        guard let base = memory.bytes.baseAddress else {
            throw QuernError(.internalFault, "pinned memory without an address", at: "forward pass")
        }
        return base.assumingMemoryBound(to: Float.self)
    }

    /// Memory beside `staging`, for what is made of the values there.
    func stagedNumbers(_ bytes: Int) throws -> PinnedMemory {
        if isStaged { try finish() }
        return try engine.context.room(&pinnedNumbers, for: bytes)
    }

    func put(_ values: UnsafeMutablePointer<Float>, count: Int, at place: UnsafeMutablePointer<Float>) throws {
        try put(
            UnsafeRawBufferPointer(start: values, count: count * MemoryLayout<Float>.stride), at: place.cardAddress)
    }

    func put(_ bytes: UnsafeRawBufferPointer, at address: UInt64) throws {
        try stream.copy(bytes, to: address)
        (isBusy, isStaged) = (true, true)
    }

    func read<Value>(
        _ values: UnsafeMutablePointer<Float>, count: Int, _ body: (UnsafeBufferPointer<Float>) throws -> Value
    ) throws -> Value {
        try withBytes(values.cardAddress, count: count * MemoryLayout<Float>.stride) {
            try body($0.bindMemory(to: Float.self))
        }
    }

    /// Lends what the card has at an address, when all steps before are done.
    private func withBytes<Value>(
        _ address: UInt64, count: Int, _ body: (UnsafeRawBufferPointer) throws -> Value
    ) throws -> Value {
        let memory =
            try returned.popLast().flatMap { $0.count < count ? nil : $0 }
            ?? PinnedMemory(engine.context, count: max(count, 1))
        let bytes = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<count])
        try stream.copy(address, to: bytes)
        isBusy = true
        try finish()
        defer { returned.append(memory) }
        return try body(UnsafeRawBufferPointer(bytes))
    }

    func finish() throws {
        guard isBusy else { return }
        try stream.record(done)
        try done.synchronize()
        (isBusy, isStaged) = (false, false)
        lists?.reset()
        held.removeAll(keepingCapacity: true)
    }

    func hold(_ object: AnyObject) { held.append(object) }

    /// Puts a list where kernels find it, until the next `finish`.
    /// - Returns: its address.
    func list<Element: BitwiseCopyable>(_ elements: [Element]) throws -> UInt64 {
        try elements.withUnsafeBytes { bytes in
            let lists = try lists(for: bytes.count)
            isBusy = true
            return try lists.put(bytes, on: stream)
        }
    }

    private func lists(for count: Int) throws -> CardLists {
        if let lists, lists.hasRoom(for: count) { return lists }
        try finish()
        if let lists, lists.hasRoom(for: count) { return lists }
        let made = try CardLists(engine.context, count: count)
        lists = made
        return made
    }

    func moments(_ rows: UnsafeMutablePointer<Float>, width: Int, count: Int) throws -> RowMoments {
        let double = MemoryLayout<Double>.stride
        let place = try take(.moments, 5 * width).cardAddress
        let maxima = place + UInt64(2 * width * double)
        try launch(.moments, columns: width) {
            $0.append(rows.cardAddress)
            $0.append(UInt64(width))
            $0.append(UInt64(count))
            $0.append(place)
            $0.append(place + UInt64(width * double))
            $0.append(maxima)
        }
        return try withBytes(place, count: width * (2 * double + MemoryLayout<Float>.stride)) { bytes in
            let sums = Array(
                UnsafeRawBufferPointer(rebasing: bytes[..<(2 * width * double)]).bindMemory(to: Double.self))
            return RowMoments(
                rows: count, squares: Array(sums[..<width]), magnitudes: Array(sums[width...]),
                maxima: Array(
                    UnsafeRawBufferPointer(rebasing: bytes[(2 * width * double)...]).bindMemory(to: Float.self)))
        }
    }

    // MARK: Launches

    private static let threads = 128
    /// Blocks that a launch may have in its second direction.
    private static let mostRows = 65535

    /// Starts a kernel with a column to a thread, and blocks for as many rows as there are, or for some in turn.
    func launch(
        _ kernel: ForwardKernel, columns: Int, rows: Int = 1, _ arguments: (inout LaunchArguments) -> Void
    ) throws {
        guard columns > 0, rows > 0 else { return }
        var list = LaunchArguments()
        arguments(&list)
        try stream.launch(
            engine.function(kernel),
            grid: LaunchSize((columns + Self.threads - 1) / Self.threads, min(rows, Self.mostRows)),
            block: LaunchSize(Self.threads), arguments: list)
        isBusy = true
    }

    func multiply(_ shape: ProductShape, a: UInt64, b: UInt64, c: UInt64) throws {
        try stream.multiply(try engine.products.product(shape), a: a, b: b, c: c, workspace: workspace)
        isBusy = true
    }
}

/// Short lists on their way to a card: pinned memory and as much of the card's, filled from the start to the end.
final class CardLists {
    private let host: PinnedMemory
    private let card: DeviceMemory
    private var used = 0

    private static let leastBytes = 1 << 20
    private static let alignment = 16

    /// - Parameter count: bytes of the first list.
    init(_ context: CUDAContext, count: Int) throws {
        let count = max(count, Self.leastBytes)
        host = try PinnedMemory(context, count: count)
        card = try DeviceMemory(context, count: count)
    }

    func hasRoom(for count: Int) -> Bool { used + count <= host.count }

    /// To be called when the card has read all of them.
    func reset() { used = 0 }

    /// - Returns: where the bytes will be on the card.
    func put(_ bytes: UnsafeRawBufferPointer, on stream: CUDAStream) throws -> UInt64 {
        let place = UnsafeMutableRawBufferPointer(rebasing: host.bytes[used..<used + bytes.count])
        place.copyMemory(from: bytes)
        let address = card.address + UInt64(used)
        try stream.copy(UnsafeRawBufferPointer(place), to: address)
        used = (used + bytes.count + Self.alignment - 1) / Self.alignment * Self.alignment
        return address
    }
}
