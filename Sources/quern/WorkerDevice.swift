import ArgumentParser
import QuernCUDA
import QuernFormats

extension DeviceSelection.Request: ExpressibleByArgument {}

/// What this build encodes on.
enum WorkerDevice {
    /// The flag's value, or the setting's, or `auto`.
    static func request(
        _ settings: Settings, flag: DeviceSelection.Request?
    ) throws(QuernError) -> DeviceSelection.Request {
        if let flag { return flag }
        guard let name = settings.value(.device) else { return .auto }
        guard let request = DeviceSelection.Request(rawValue: name) else {
            throw QuernError(.usage, "'\(name)' is no device", at: "setting device", remedy: "Use auto, cpu or cuda")
        }
        return request
    }

    /// - Throws: `QuernError` where cards were asked for and cannot be had.
    static func resolve(_ request: DeviceSelection.Request) throws(QuernError) -> DeviceSelection {
        let selection = try DeviceSelection.choose(request)
        guard case .cuda = selection.device else { return selection }
        guard request == .auto else {
            throw QuernError(
                .unsupported, "this build has no CUDA engine", at: "--device cuda",
                remedy: "Use --device cpu: the bytes are the same")
        }
        return DeviceSelection(device: .cpu, reason: "\(selection.reason), but this build has no CUDA engine")
    }
}
