import CCUDA

/// Work that a card does in the order in which it was given. Different streams go on side by side.
///
/// Nothing here waits but `synchronize`: memory that a copy or a kernel uses has to stay, and buffers of the host to
/// be left alone, until the stream, or an event behind that work, was waited for.
package final class CUDAStream: @unchecked Sendable {
    package let context: CUDAContext
    let handle: quern_cuda_stream

    package init(_ context: CUDAContext) throws(CUDAFailure) {
        handle = try context.make("cuStreamCreate") {
            $0.pointee.cuStreamCreate($1, UInt32(QUERN_CUDA_STREAM_NON_BLOCKING))
        }
        self.context = context
    }

    deinit { context.discard { $0.pointee.cuStreamDestroy_v2(handle) } }

    /// Copies to the card. Bytes that are not pinned are read before this returns, and slowly.
    /// - Parameter offset: in `memory`, whose end must not be passed.
    package func copy(
        _ bytes: UnsafeRawBufferPointer, to memory: DeviceMemory, at offset: Int = 0
    ) throws(CUDAFailure) {
        try copy(bytes, to: memory.address(at: offset, count: bytes.count))
    }

    /// - Parameter address: of as many bytes on the card, which stay there.
    package func copy(_ bytes: UnsafeRawBufferPointer, to address: UInt64) throws(CUDAFailure) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        try context.call("cuMemcpyHtoDAsync_v2") {
            $0.pointee.cuMemcpyHtoDAsync_v2(address, start, bytes.count, handle)
        }
    }

    /// Copies from the card, as many bytes as `bytes` has. If these are not pinned it waits for all work before.
    package func copy(
        _ memory: DeviceMemory, at offset: Int = 0, to bytes: UnsafeMutableRawBufferPointer
    ) throws(CUDAFailure) {
        try copy(memory.address(at: offset, count: bytes.count), to: bytes)
    }

    /// - Parameter address: of as many bytes on the card, which stay there.
    package func copy(_ address: UInt64, to bytes: UnsafeMutableRawBufferPointer) throws(CUDAFailure) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        try context.call("cuMemcpyDtoHAsync_v2") {
            $0.pointee.cuMemcpyDtoHAsync_v2(start, address, bytes.count, handle)
        }
    }

    /// Copies on the card. The two places must not overlap.
    package func copy(
        _ source: DeviceMemory, at offset: Int = 0, count: Int, to target: DeviceMemory, at targetOffset: Int = 0
    ) throws(CUDAFailure) {
        guard count > 0 else { return }
        let from = source.address(at: offset, count: count), to = target.address(at: targetOffset, count: count)
        try context.call("cuMemcpyDtoDAsync_v2") { $0.pointee.cuMemcpyDtoDAsync_v2(to, from, count, handle) }
    }

    /// Sets all bytes of `memory`.
    package func fill(_ memory: DeviceMemory, with byte: UInt8) throws(CUDAFailure) {
        try context.call("cuMemsetD8Async") {
            $0.pointee.cuMemsetD8Async(memory.address, byte, memory.count, handle)
        }
    }

    /// Starts a kernel. What is wrong with its run is told by a later call.
    /// - Parameters:
    ///   - grid: blocks.
    ///   - block: threads of a block, at most `function.maximumThreads`.
    ///   - sharedBytes: of memory that a block's threads share, beside what the kernel declares.
    package func launch(
        _ function: CUDAFunction, grid: LaunchSize, block: LaunchSize, sharedBytes: Int = 0,
        arguments: LaunchArguments
    ) throws(CUDAFailure) {
        try arguments.withPointers { pointers throws(CUDAFailure) in
            try context.call("cuLaunchKernel of \(function.name)") {
                $0.pointee.cuLaunchKernel(
                    function.handle, grid.x, grid.y, grid.z, block.x, block.y, block.z, UInt32(sharedBytes), handle,
                    pointers, nil)
            }
        }
    }

    /// Marks this place in the stream.
    package func record(_ event: CUDAEvent) throws(CUDAFailure) {
        try context.call("cuEventRecord") { $0.pointee.cuEventRecord(event.handle, handle) }
    }

    /// What is given from now on waits until another stream has come to the event's last mark.
    package func wait(for event: CUDAEvent) throws(CUDAFailure) {
        try context.call("cuStreamWaitEvent") { $0.pointee.cuStreamWaitEvent(handle, event.handle, 0) }
    }

    /// Waits until all is done. The driver may keep the processor busy meanwhile; who waits for an event sleeps.
    package func synchronize() throws(CUDAFailure) {
        try context.call("cuStreamSynchronize") { $0.pointee.cuStreamSynchronize(handle) }
    }
}
