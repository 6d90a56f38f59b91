import ArgumentParser
import Foundation
import Logging
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import QuernWorker

/// One machine, one process: the same coordinator and worker as anywhere, joined by direct calls.
struct QuantizeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Quantize a checkpoint on this machine.",
        discussion: """
            Example: quern quantize ./tiny-llama --to Q4_K_M,Q8_0 --output ./out

            Interrupted at any point, the same command run again goes on where it stopped.
            """)

    @OptionGroup var recipeOptions: RecipeOptions

    @Option(name: .shortAndLong, help: "Folder for the artifacts and manifest.json.", completion: .directory)
    var output: String

    @Option(help: "Threads that encode; all cores otherwise.")
    var workers: Int?

    @Option(help: "Memory for work in progress: 4GB. It bounds the process, not the model.")
    var memory: String?

    @Option(help: "Folder for state and finished parts; kept, and used again by later jobs.", completion: .directory)
    var state: String?

    @Flag(help: "Say nothing but errors.")
    var quiet = false

    @Flag(help: "Print one JSON object per line on standard output.")
    var json = false

    func run() async throws {
        let settings = try Settings.load()
        let recipe = try recipeOptions.resolve()
        let here = FileManager.default.currentDirectoryPath
        let folder = RecipeOptions.absolute(output, from: here)
        let keptState = settings.value(.state, flag: state).map { RecipeOptions.absolute($0, from: here) }
        let run = LocalRun(
            recipe: recipe, output: folder, state: keptState ?? folder + "/.quern", keepsState: keptState != nil,
            slots: try settings.integer(.workers, flag: workers) ?? ProcessInfo.processInfo.activeProcessorCount,
            memory: try WorkMemory.resolve(settings, flag: memory),
            progress: json ? .json : quiet ? .silent : .human)
        let start = ContinuousClock().now
        let record = try await run.finish()
        if json {
            try Console.json(Finished(record, folder: folder))
        } else if !quiet {
            report(record, folder: folder, seconds: (ContinuousClock().now - start) / .seconds(1))
        }
    }

    private func report(_ record: JobRecord, folder: String, seconds: Double) {
        var rows = record.artifacts.flatMap { artifact in
            artifact.files.map { [artifact.target, Console.size($0.bytes), folder + "/" + $0.name] }
        }
        rows += [["", "", folder + "/manifest.json"], ["", "", folder + "/report.html"]]
        Console.line(Console.table(rows, rightAligned: [1]))
        if let evaluation = record.evaluation { Console.line("\n" + EvaluationTable.overview(evaluation)) }
        Console.error("done in \(Console.duration(seconds: seconds))")
    }

    private struct Finished: Encodable {
        let event = "done"
        let job: String
        let output: String
        let artifacts: [PlannedArtifact]
        let evaluation: EvaluationSummary?

        init(_ record: JobRecord, folder: String) {
            job = record.id.rawValue
            output = folder
            artifacts = record.artifacts
            evaluation = record.evaluation
        }
    }
}
