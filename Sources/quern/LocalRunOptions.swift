import ArgumentParser
import Foundation
import QuernCUDA
import QuernFormats
import QuernJobs

/// What `LocalRunOptions` say of themselves in a command's help.
protocol LocalRunHelp {
    static var workers: ArgumentHelp { get }
    static var memory: ArgumentHelp { get }
    static var state: ArgumentHelp { get }
}

/// How a job is run inside this process, and what is told of it.
struct LocalRunOptions<Help: LocalRunHelp>: ParsableArguments {
    @Option(help: Help.workers)
    var workers: Int?

    @Option(help: Help.memory)
    var memory: String?

    @Option(help: "What encodes: cpu, which it is otherwise, cuda or auto.")
    var device: DeviceSelection.Request?

    @Option(help: ForwardDevice.help)
    var forward: ForwardDevice?

    @Option(help: Help.state, completion: .directory)
    var state: String?

    @Flag(help: "Say nothing but errors and warnings.")
    var quiet = false

    @Flag(help: "Print one JSON object per line on standard output.")
    var json = false

    /// The run of a recipe.
    /// - Parameters:
    ///   - usualState: folder for the state, where none is asked for that is kept.
    ///   - output: the folder for artifacts, given that of the state.
    func run(
        _ recipe: Recipe, settings: Settings, usualState: String, output: (_ state: String) -> String
    ) throws -> LocalRun {
        let here = FileManager.default.currentDirectoryPath
        let kept = settings.value(.state, flag: state).map { RecipeOptions.absolute($0, from: here) }
        let folder = kept ?? usualState
        let forward = try forward ?? recipe.forward ?? ForwardDevice.request(settings, flag: nil)
        let device = try WorkerDevice.request(settings, flag: device, otherwise: forward == .cuda ? .cuda : .cpu)
        return LocalRun(
            recipe: recipe.computing(on: forward), output: output(folder), state: folder, keepsState: kept != nil,
            slots: try settings.integer(.workers, flag: workers) ?? ProcessInfo.processInfo.activeProcessorCount,
            memory: try WorkMemory.resolve(settings, flag: memory),
            engine: try WorkerDevice(
                device, forward: forward, logger: Log.logger("quern.worker")
            ).engine,
            progress: json ? .json : quiet ? .silent : .human)
    }
}
