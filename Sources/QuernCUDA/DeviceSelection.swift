import QuernFormats

/// What a worker encodes on, and why.
package struct DeviceSelection: Sendable, Equatable {
    /// What was asked for.
    package enum Request: String, Sendable, CaseIterable {
        /// Cards where there are any, the processor otherwise.
        case auto
        case cpu
        case cuda
    }

    package enum Device: Sendable, Equatable {
        case cpu
        /// At least one.
        case cuda([CUDADevice])
    }

    package let device: Device
    /// For the log, in one line.
    package let reason: String

    package init(device: Device, reason: String) { (self.device, self.reason) = (device, reason) }

    /// - Parameter cards: looks for them; called only where the request is not for the processor.
    /// - Throws: what `cards` throws, where they were asked for.
    package static func choose(
        _ request: Request, cards: () throws(QuernError) -> [CUDADevice] = installedCards
    ) throws(QuernError) -> DeviceSelection {
        guard request != .cpu else { return DeviceSelection(device: .cpu, reason: "it was asked for") }
        do throws(QuernError) {
            let found = try cards()
            return DeviceSelection(
                device: .cuda(found), reason: "found \(found.map(\.label).joined(separator: ", "))")
        } catch {
            guard request == .auto else { throw error.located(in: "--device cuda") }
            return DeviceSelection(device: .cpu, reason: error.message)
        }
    }

    /// The cards of this machine.
    /// - Throws: `QuernError` where there are none, with the reason.
    package static func installedCards() throws(QuernError) -> [CUDADevice] {
        let driver = try CUDADriver.shared()
        do throws(CUDAFailure) { return try driver.devices() } catch { throw error.error }
    }
}
