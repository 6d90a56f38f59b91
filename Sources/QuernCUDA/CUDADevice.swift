import CCUDA
import QuernFormats

/// A card, as the driver describes it.
package struct CUDADevice: Sendable, Equatable {
    /// Its number among the cards that this process may use, from 0.
    package let ordinal: Int
    package let name: String
    /// As nvidia-smi shows it: `GPU-8c5a…`.
    package let uuid: String
    /// `0000:1B:00.0`
    package let busID: String
    package let capability: ComputeCapability
    /// Bytes.
    package let memory: Int
    package let multiprocessors: Int
    /// Copies that go on at a time, beside a kernel.
    package let asyncEngines: Int

    /// The driver's handle.
    let handle: quern_cuda_device

    /// Which card, in messages.
    package var label: String { "card \(ordinal) (\(name), \(busID))" }
}

extension CUDADriver {
    /// All cards that this process may use.
    package func devices() throws(CUDAFailure) -> [CUDADevice] {
        var count: Int32 = 0
        try call("cuDeviceGetCount") { $0.pointee.cuDeviceGetCount(&count) }
        var devices: [CUDADevice] = []
        for ordinal in 0..<max(0, count) { devices.append(try device(ordinal)) }
        return devices
    }

    private func device(_ ordinal: Int32) throws(CUDAFailure) -> CUDADevice {
        let card = "card \(ordinal)"
        var handle: quern_cuda_device = 0
        try call("cuDeviceGet", on: card) { $0.pointee.cuDeviceGet(&handle, ordinal) }
        var memory = 0
        try call("cuDeviceTotalMem_v2", on: card) { $0.pointee.cuDeviceTotalMem_v2(&memory, handle) }
        var uuid = quern_cuda_uuid()
        try call("cuDeviceGetUuid_v2", on: card) { $0.pointee.cuDeviceGetUuid_v2(&uuid, handle) }
        func attribute(_ number: Int) throws(CUDAFailure) -> Int {
            var value: Int32 = 0
            try call("cuDeviceGetAttribute", on: card) {
                $0.pointee.cuDeviceGetAttribute(&value, Int32(number), handle)
            }
            return Int(value)
        }
        return CUDADevice(
            ordinal: Int(ordinal),
            name: try text("cuDeviceGetName", on: card) { $0.pointee.cuDeviceGetName($1, $2, handle) },
            uuid: Self.shown(uuid),
            busID: try text("cuDeviceGetPCIBusId", on: card) { $0.pointee.cuDeviceGetPCIBusId($1, $2, handle) },
            capability: ComputeCapability(
                try attribute(QUERN_CUDA_CAPABILITY_MAJOR), try attribute(QUERN_CUDA_CAPABILITY_MINOR)),
            memory: memory, multiprocessors: try attribute(QUERN_CUDA_MULTIPROCESSORS),
            asyncEngines: try attribute(QUERN_CUDA_ASYNC_ENGINES), handle: handle)
    }

    /// A text that the driver writes.
    private func text(
        _ name: String, on card: String,
        _ body: (UnsafePointer<quern_cuda_driver>, UnsafeMutablePointer<CChar>, Int32) -> Int32
    ) throws(CUDAFailure) -> String {
        var characters = [CChar](repeating: 0, count: 256)
        try call(name, on: card) { functions in
            characters.withUnsafeMutableBufferPointer { buffer in
                buffer.baseAddress.map { body(functions, $0, Int32(buffer.count)) } ?? 0
            }
        }
        return String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func shown(_ uuid: quern_cuda_uuid) -> String {
        let digits = withUnsafeBytes(of: uuid) { bytes in
            bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }
        }
        let groups = [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0].joined() }
        return "GPU-" + groups.joined(separator: "-")
    }
}
