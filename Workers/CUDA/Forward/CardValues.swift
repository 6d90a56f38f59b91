import QuernCUDA
import QuernFormats
import QuernModel
import Synchronization

/// Values in a card's memory, which goes back to its pool with the last reference.
final class CardValues: ValueBuffer, @unchecked Sendable {
    let base: UnsafeMutablePointer<Float>
    let count: Int
    let memory: DeviceMemory
    private let pool: CardMemoryPool

    fileprivate init(_ memory: DeviceMemory, pool: CardMemoryPool) throws {
        guard let base = UnsafeMutablePointer<Float>(bitPattern: UInt(memory.address)) else {
            throw QuernError(.internalFault, "the driver gave memory without an address", at: "forward pass")
        }
        (self.base, self.memory, self.pool) = (base, memory, pool)
        count = memory.count / MemoryLayout<Float>.stride
    }

    deinit { pool.give(memory) }
}

extension UnsafeMutablePointer<Float> {
    /// Where it points to in the memory of a card.
    var cardAddress: UInt64 { UInt64(UInt(bitPattern: self)) }
}

/// Memory of a card that was used before, for the next that needs as much: asking the driver makes the card wait.
final class CardMemoryPool: Sendable {
    private let context: CUDAContext
    private let free = Mutex<[Int: [DeviceMemory]]>([:])

    init(_ context: CUDAContext) { self.context = context }

    /// Uninitialized memory for at least `count` values.
    /// - Throws: `CUDAFailure` `.outOfMemory` where the card has not as much, not even when nothing is kept.
    func take(_ count: Int) throws -> CardValues {
        let bytes = Self.rounded(max(count, 1) * MemoryLayout<Float>.stride)
        if let memory = free.withLock({ $0[bytes]?.popLast() }) { return try CardValues(memory, pool: self) }
        do {
            return try CardValues(try DeviceMemory(context, count: bytes), pool: self)
        } catch let failure as CUDAFailure where failure.kind == .outOfMemory {
            free.withLock { $0.removeAll() }
            return try CardValues(try DeviceMemory(context, count: bytes), pool: self)
        }
    }

    fileprivate func give(_ memory: DeviceMemory) { free.withLock { $0[memory.count, default: []].append(memory) } }

    /// Sizes are an eighth of a power of two apart, so that those of layers and of chunks that differ a little are the same.
    private static func rounded(_ bytes: Int) -> Int {
        let step = max(256, (1 << (Int.bitWidth - 1 - bytes.leadingZeroBitCount)) / 8)
        return (bytes + step - 1) / step * step
    }
}

/// Weights of a linear layer on a card: BF16 numbers, and what these leave of the values as others, where anything is left.
final class CardMatrix: WeightMatrix {
    let outputs: Int
    let inputs: Int
    let high: CardValues
    let low: CardValues?

    /// Weights that are decoded and packed at a time, as F32.
    private static let pieceBytes = 4 << 20
    /// A piece begins where products may begin, whatever its columns.
    private static let pieceMultiple = 64

    init(outputs: Int, inputs: Int, areBF16: Bool, pool: CardMemoryPool) throws {
        (self.outputs, self.inputs) = (outputs, inputs)
        let count = (outputs * inputs + 1) / 2
        high = try pool.take(count)
        low = areBF16 ? nil : try pool.take(count)
    }

    var pieces: [Range<Int>] {
        let step = max(1, Self.pieceBytes / (inputs * 4 * Self.pieceMultiple)) * Self.pieceMultiple
        return stride(from: 0, to: outputs, by: step).map { $0..<min(outputs, $0 + step) }
    }
}
