import CCUDA

/// A place in a stream, to wait for and to take the time of.
package final class CUDAEvent: @unchecked Sendable {
    package let context: CUDAContext
    let handle: quern_cuda_event

    /// - Parameter takesTime: costs a little; without it, `milliseconds` fails.
    package init(_ context: CUDAContext, takesTime: Bool = false) throws(CUDAFailure) {
        // Threads that wait sleep: the processor has encoding to do.
        let flags = QUERN_CUDA_EVENT_BLOCKING | (takesTime ? 0 : QUERN_CUDA_EVENT_WITHOUT_TIME)
        handle = try context.make("cuEventCreate") { $0.pointee.cuEventCreate($1, UInt32(flags)) }
        self.context = context
    }

    deinit { context.discard { $0.pointee.cuEventDestroy_v2(handle) } }

    private static let notReady: Int32 = 600

    /// Whether the stream has come to the last mark; true where there is none.
    package var isReached: Bool {
        get throws(CUDAFailure) {
            let status = try context.status { $0.pointee.cuEventQuery(handle) }
            guard status == 0 || status == Self.notReady else { throw context.failure(of: "cuEventQuery", status) }
            return status == 0
        }
    }

    /// Waits for that.
    package func synchronize() throws(CUDAFailure) {
        try context.call("cuEventSynchronize") { $0.pointee.cuEventSynchronize(handle) }
    }

    /// The time between the marks of two events that take it, once both were reached.
    package func milliseconds(since start: CUDAEvent) throws(CUDAFailure) -> Float {
        var time: Float = 0
        try context.call("cuEventElapsedTime") { $0.pointee.cuEventElapsedTime(&time, start.handle, handle) }
        return time
    }
}
