import Glibc
import Synchronization

/// Uninitialized memory for values, aligned for every instruction set.
///
/// Shared by threads that write to different places of it; whoever shares it sees to that.
package final class FloatBuffer: ValueBuffer, @unchecked Sendable {
    package let base: UnsafeMutablePointer<Float>
    package let count: Int
    /// Of a large buffer, as the kernel gave it.
    private let mapping: UnsafeMutableRawBufferPointer?

    private static let hugePage = 2 << 20

    package init(_ count: Int) {
        self.count = max(count, 16)
        let size = self.count * 4
        var bytes = UnsafeMutableRawPointer(bitPattern: 0)
        if size >= Self.hugePage, let mapping = Self.map(size + Self.hugePage) {
            self.mapping = mapping
            bytes = mapping.baseAddress?.alignedUp(toMultipleOf: Self.hugePage)
        } else {
            mapping = nil
        }
        base = (bytes ?? .allocate(byteCount: size, alignment: 64)).bindMemory(to: Float.self, capacity: self.count)
    }

    deinit {
        if let mapping { munmap(mapping.baseAddress, mapping.count) } else { raw.deallocate() }
    }

    var raw: UnsafeMutableRawPointer { UnsafeMutableRawPointer(base) }

    /// Memory of its own, which goes back whole: in the allocator's heaps large buffers of all sizes leave gaps, as many
    /// as half of what they hold. In huge pages where there are any, because clearing small ones takes as long as filling
    /// them.
    private static func map(_ size: Int) -> UnsafeMutableRawBufferPointer? {
        let start = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let start, start != MAP_FAILED else { return nil }
        _ = madvise(start, size, MADV_HUGEPAGE)
        return UnsafeMutableRawBufferPointer(start: start, count: size)
    }
}

/// Buffers whose owners are gone, for the next that need one of their size: layers are alike, and memory fresh from the
/// kernel costs a fifth of the time that packing takes.
package final class BufferPool: Sendable {
    private let free = Mutex<[Int: [FloatBuffer]]>([:])

    package init() {}

    func take(_ count: Int) -> FloatBuffer { free.withLock { $0[count]?.popLast() } ?? FloatBuffer(count) }

    func give(_ buffer: FloatBuffer) { free.withLock { $0[buffer.count, default: []].append(buffer) } }
}

/// Buffers of one thread, by use: grown when a larger one is needed, and kept.
package final class Workspace {
    enum Use: Hashable {
        case rows(RowUse)
        case productHigh, productLow, productScratch, decoded, products
    }
    private var buffers: [Use: FloatBuffer] = [:]

    package init() {}

    func take(_ use: Use, _ count: Int) -> UnsafeMutablePointer<Float> {
        if let buffer = buffers[use], buffer.count >= count { return buffer.base }
        buffers[use] = nil
        let buffer = FloatBuffer(count)
        buffers[use] = buffer
        return buffer.base
    }
}
