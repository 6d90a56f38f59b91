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

    @Option(help: "Sign the finished folder with this private key; see quern sign.", completion: .file())
    var signKey: String?

    @OptionGroup var options: LocalRunOptions<Help>

    func run() async throws {
        let settings = try Settings.load()
        let key = try signKey.map(SignCommand.readKey)
        let recipe = try recipeOptions.resolve()
        let here = FileManager.default.currentDirectoryPath
        let folder = RecipeOptions.absolute(output, from: here)
        let run = try options.run(recipe, settings: settings, usualState: folder + "/.quern") { _ in folder }
        guard key == nil || !run.keepsState || !(run.state + "/").hasPrefix(folder + "/") else {
            throw QuernError(
                .usage, "the state would be part of what is signed", at: "--state",
                remedy: "Keep it outside of the output folder")
        }
        let start = ContinuousClock().now
        let record = try await run.finish()
        let signed = try key.map { try FolderSigner.sign(folder: folder, with: $0) }
        if let signed, !signed.passed { try VerifyCommand.tell(signed, json: options.json) }
        let warnings = try JobResults.read(folder: folder).warnings
        for warning in warnings { Console.error("quern: warning: \(warning)") }
        if options.json {
            try Console.json(Finished(record, folder: folder, warnings: warnings, signedBy: signed?.signedBy))
        } else if !options.quiet {
            report(record, folder: folder, seconds: (ContinuousClock().now - start) / .seconds(1))
        }
    }

    private func report(_ record: JobRecord, folder: String, seconds: Double) {
        var rows = record.artifacts.flatMap { artifact in
            artifact.files.map { [artifact.target, Console.size($0.bytes), folder + "/" + $0.name] }
        }
        rows += [["", "", folder + "/manifest.json"], ["", "", folder + "/report.html"]]
        if signKey != nil { rows.append(["", "", folder + "/" + ExpectedSignature.fileName]) }
        Console.line(Console.table(rows, rightAligned: [1]))
        if let evaluation = record.evaluation { Console.line("\n" + EvaluationTable.overview(evaluation)) }
        Console.error("done in \(Console.duration(seconds: seconds))")
    }

    enum Help: LocalRunHelp {
        static let workers: ArgumentHelp = "Threads that encode; all cores otherwise."
        static let memory: ArgumentHelp = "Memory for work in progress: 4GB. It bounds the process, not the model."
        static let state: ArgumentHelp = "Folder for state and finished parts; kept, and used again by later jobs."
    }

    private struct Finished: Encodable {
        let event = "done"
        let job: String
        let output: String
        let artifacts: [PlannedArtifact]
        let evaluation: EvaluationSummary?
        let warnings: [String]
        /// The fingerprint of the key that the folder was signed with.
        let signedBy: String?

        init(_ record: JobRecord, folder: String, warnings: [String], signedBy: String?) {
            job = record.id.rawValue
            output = folder
            artifacts = record.artifacts
            evaluation = record.evaluation
            self.warnings = warnings
            self.signedBy = signedBy
        }
    }
}
