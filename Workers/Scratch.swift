import Glibc
import QuernFormats

/// Memory that a stage fills again and again: pages straight from the kernel, zeroed, and gone with their owner.
struct PageBuffer: ~Copyable {
    private var base: UnsafeMutableRawPointer?
    private(set) var capacity = 0

    init() {}

    deinit {
        if let base { munmap(base, capacity) }
    }

    /// The first `count` bytes; what they held before is kept unless the buffer has to grow.
    /// - Parameter count: at least 0.
    /// - Throws: `.outOfMemory`.
    mutating func bytes(_ count: Int) throws -> UnsafeMutableRawBufferPointer {
        if count > capacity || base == nil {
            let page = 64 << 10
            let wanted = max(page, (count + page - 1) / page * page)
            guard let fresh = mmap(nil, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                fresh != UnsafeMutableRawPointer(bitPattern: -1)
            else { throw QuernError(.outOfMemory, "no memory for a buffer of \(count) bytes") }
            if let base { munmap(base, capacity) }
            base = fresh
            capacity = wanted
        }
        return UnsafeMutableRawBufferPointer(start: base, count: count)
    }

    /// The first `count` floats.
    mutating func floats(_ count: Int) throws -> UnsafeMutableBufferPointer<Float> {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
        guard !overflow else { throw QuernError(.outOfMemory, "no memory for \(count) values") }
        return try self.bytes(bytes).bindMemory(to: Float.self)
    }
}

/// The buffers of one item in work. Used by one thread at a time, handed on to the next item.
package final class Scratch: @unchecked Sendable {
    // Unchecked: `ScratchPool` lends it to one thread at a time.
    package init() {}

    var source = PageBuffer()
    var values = PageBuffer()
    var decoded = PageBuffer()
    var encoded = PageBuffer()
    var rescaled = PageBuffer()
    /// Of kernels.
    var working = PageBuffer()
}

/// Lends buffers, as many as there are items in work.
final class ScratchPool: Sendable {
    private let free = Mutexed<[Scratch]>([])

    func withScratch<Value>(_ body: (Scratch) throws -> Value) rethrows -> Value {
        let scratch = free.mutate { $0.popLast() } ?? Scratch()
        defer { free.mutate { $0.append(scratch) } }
        return try body(scratch)
    }
}
