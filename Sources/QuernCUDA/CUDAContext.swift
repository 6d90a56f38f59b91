import CCUDA
import QuernFormats

/// The primary context of a card: what this process has there. Retained as long as somebody uses it.
///
/// Every call makes it current on the calling thread first, so that one thread may serve several cards, and several
/// threads one.
package final class CUDAContext: @unchecked Sendable {
    package let driver: CUDADriver
    package let device: CUDADevice
    private let handle: quern_cuda_context

    package init(_ driver: CUDADriver, _ device: CUDADevice) throws(CUDAFailure) {
        var handle: quern_cuda_context?
        try driver.call("cuDevicePrimaryCtxRetain", on: device.label) {
            $0.pointee.cuDevicePrimaryCtxRetain(&handle, device.handle)
        }
        guard let handle else { throw Self.gaveNothing(driver, "cuDevicePrimaryCtxRetain", device) }
        (self.driver, self.device, self.handle) = (driver, device, handle)
    }

    deinit { _ = driver.functions.pointee.cuDevicePrimaryCtxRelease_v2(device.handle) }

    /// Bytes of the card's memory that nobody uses, and all of them.
    package func memory() throws(CUDAFailure) -> (free: Int, total: Int) {
        var (free, total) = (0, 0)
        try call("cuMemGetInfo_v2") { $0.pointee.cuMemGetInfo_v2(&free, &total) }
        return (free, total)
    }

    /// Makes a call with this context current.
    func call(_ name: String, _ body: (UnsafePointer<quern_cuda_driver>) -> Int32) throws(CUDAFailure) {
        let status = try status(of: body)
        guard status == 0 else { throw failure(of: name, status) }
    }

    /// What a call gives, where that is not success or failure alone.
    func status(of body: (UnsafePointer<quern_cuda_driver>) -> Int32) throws(CUDAFailure) -> Int32 {
        try driver.call("cuCtxSetCurrent", on: device.label) { $0.pointee.cuCtxSetCurrent(handle) }
        return body(driver.functions)
    }

    func failure(of call: String, _ status: Int32) -> CUDAFailure {
        driver.failure(of: call, status, on: device.label)
    }

    /// Frees something. Where that fails the card is lost, and the process's end frees it.
    func discard(_ body: (UnsafePointer<quern_cuda_driver>) -> Int32) {
        guard driver.functions.pointee.cuCtxSetCurrent(handle) == 0 else { return }
        _ = body(driver.functions)
    }

    /// A handle that a call makes.
    func make<Handle>(
        _ name: String, _ body: (UnsafePointer<quern_cuda_driver>, UnsafeMutablePointer<Handle?>) -> Int32
    ) throws(CUDAFailure) -> Handle {
        var made: Handle?
        try call(name) { body($0, &made) }
        guard let made else { throw Self.gaveNothing(driver, name, device) }
        return made
    }

    private static let unknown: Int32 = 999

    private static func gaveNothing(_ driver: CUDADriver, _ call: String, _ device: CUDADevice) -> CUDAFailure {
        driver.failure(of: call, unknown, on: device.label)
    }
}
