import ArgumentParser
import Logging
import QuernFormats
import QuernJobs
import QuernModel
import QuernWorker

extension ForwardDevice: ExpressibleByArgument {
    static let help = ArgumentHelp(
        "What computes the model: cpu, which it is otherwise, or cuda, whose last digits are different.")

    /// The flag's value, or the setting's, or the processor: nothing else is taken because it happens to be there.
    static func request(_ settings: Settings, flag: ForwardDevice?) throws(QuernError) -> ForwardDevice {
        if let flag { return flag }
        guard let name = settings.value(.forward) else { return .cpu }
        guard let device = ForwardDevice(rawValue: name) else {
            throw QuernError(
                .usage, "'\(name)' computes no models", at: "setting forward", remedy: "Use cpu or cuda")
        }
        return device
    }

    /// What computes models in a command that does nothing else.
    /// - Throws: `QuernError` where there is no card, or none that can be used.
    func engines() throws -> any ForwardEngines {
        switch self {
        case .cpu: ProcessorEngine()
        case .cuda: try WorkerDevice(.cuda, forward: .cuda, logger: Log.logger("quern")).engine
        }
    }
}

extension Recipe {
    /// The same with another device for models.
    /// - Parameter device: nil where nothing is said about it.
    func computing(on device: ForwardDevice?) -> Recipe {
        guard let device else { return self }
        var recipe = self
        recipe.forward = device == .cpu ? nil : device
        return recipe
    }
}

extension ForwardEngines {
    /// Calls `body` as `withForwardEngine` does, with errors for the user.
    func computing<Value>(on device: ForwardDevice, _ body: (any ForwardEngine) throws -> Value) throws -> Value {
        do { return try withForwardEngine(on: device, body) } catch let loss as ForwardLoss { throw loss.error }
    }
}
