import CCUDA

/// Memory that the driver gives.
package protocol CUDAMemory {
    /// Bytes.
    var count: Int { get }

    /// - Parameter count: bytes, at least 1.
    /// - Throws: `.outOfMemory` where there are not as many.
    init(_ context: CUDAContext, count: Int) throws(CUDAFailure)
}

/// Memory of a card, freed with the last reference. Its bytes are whatever was there before.
package final class DeviceMemory: CUDAMemory, Sendable {
    package let context: CUDAContext
    /// What kernels are given.
    package let address: UInt64
    package let count: Int

    package init(_ context: CUDAContext, count: Int) throws(CUDAFailure) {
        var address: quern_cuda_address = 0
        try context.call("cuMemAlloc_v2") { $0.pointee.cuMemAlloc_v2(&address, count) }
        (self.context, self.address, self.count) = (context, address, count)
    }

    /// The driver waits for work that still uses it.
    deinit { context.discard { $0.pointee.cuMemFree_v2(address) } }

    /// The address of `count` bytes from `offset` on.
    func address(at offset: Int, count: Int) -> UInt64 {
        precondition(offset >= 0 && count >= 0 && offset <= self.count && count <= self.count - offset)
        return address + UInt64(offset)
    }
}

/// Memory of this machine that stays where it is, so that cards copy from and to it by themselves, at full speed, while
/// the processor does something else. Freed with the last reference.
///
/// Whoever has it takes care that nobody writes what a copy still reads.
package final class PinnedMemory: CUDAMemory, @unchecked Sendable {
    package let context: CUDAContext
    package let bytes: UnsafeMutableRawBufferPointer
    package var count: Int { bytes.count }

    /// - Parameter count: bytes, at least 1.
    /// - Throws: `.outOfMemory` where the system does not let as many be pinned.
    package init(_ context: CUDAContext, count: Int) throws(CUDAFailure) {
        let start: UnsafeMutableRawPointer = try context.make("cuMemHostAlloc") {
            $0.pointee.cuMemHostAlloc($1, count, UInt32(QUERN_CUDA_HOST_PORTABLE))
        }
        self.context = context
        bytes = UnsafeMutableRawBufferPointer(start: start, count: count)
    }

    deinit { context.discard { $0.pointee.cuMemFreeHost(bytes.baseAddress) } }
}
