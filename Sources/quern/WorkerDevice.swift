import ArgumentParser
import Logging
import QuernCUDA
import QuernFormats
import QuernJobs
import QuernWorker

extension DeviceSelection.Request: ExpressibleByArgument {}

/// What a worker encodes on.
struct WorkerDevice {
    /// The flag's value, or the setting's, or what is usual.
    static func request(
        _ settings: Settings, flag: DeviceSelection.Request?, otherwise usual: DeviceSelection.Request = .auto
    ) throws(QuernError) -> DeviceSelection.Request {
        if let flag { return flag }
        guard let name = settings.value(.device) else { return usual }
        guard let request = DeviceSelection.Request(rawValue: name) else {
            throw QuernError(.usage, "'\(name)' is no device", at: "setting device", remedy: "Use auto, cpu or cuda")
        }
        return request
    }

    /// What encodes, and computes forward passes, and why.
    let engine: any ComputeEngine
    let usesCards: Bool
    private let reason: String

    /// For messages: what it is, and why.
    var summary: String { "\(usesCards ? "CUDA" : "the CPU"): \(reason)" }

    /// Chooses, and tries cards that are there.
    /// - Throws: `QuernError` where cards were asked for and cannot be had, or none of them can be used.
    init(_ request: DeviceSelection.Request, forward: ForwardDevice = .cpu, logger: Logger) throws {
        guard forward == .cpu || request != .cpu else {
            throw QuernError(
                .usage, "cards are to compute models, and none are to be used", at: "--forward cuda",
                remedy: "Leave --device cpu away, or say --forward cpu")
        }
        let request = forward == .cuda ? .cuda : request
        let selection = try DeviceSelection.choose(request)
        var reason = selection.reason
        if case .cuda(let cards) = selection.device {
            do {
                let cache = ProgramCache(folder: ProgramCache.usualFolder(), logger: logger)
                engine = try CardEngine(
                    cards, of: CUDADriver.shared(), computesForward: forward == .cuda, cache: cache, logger: logger)
                if forward == .cuda { reason += "; computes models there, too" }
                (usesCards, self.reason) = (true, reason)
                return
            } catch {
                guard request == .auto else {
                    throw (error as? QuernError)?.located(in: "--device cuda") ?? error
                }
                reason += ", but \(error)"
            }
        }
        (engine, usesCards, self.reason) = (ProcessorEngine(), false, reason)
    }
}
