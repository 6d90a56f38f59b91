import ArgumentParser
import Foundation
import QuernClient
import QuernFormats

/// The command line. Every failure ends here, as one line on standard error and an exit status that scripts can use.
@main
struct Quern: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quern",
        abstract: "Quantize LLM checkpoints, on one machine or on many, with the same bytes either way.",
        discussion: """
            Example: quern quantize ./Llama-3.1-8B-Instruct --to Q4_K_M,Q8_0 --output ./out

            Settings come from flags, then QUERN_* environment variables, then quern.yaml.
            Shell completion: quern --generate-completion-script bash > /etc/bash_completion.d/quern
            """,
        version: quernVersion,
        subcommands: [
            QuantizeCommand.self, PlanCommand.self, ImatrixCommand.self, InspectCommand.self, TokenizeCommand.self,
            LogitsCommand.self, VerifyCommand.self, SignCommand.self, EvalCommand.self, SensitivityCommand.self,
            ReportCommand.self,
            CoordinatorCommand.self, WorkerCommand.self, SubmitCommand.self, StatusCommand.self, WatchCommand.self,
            ListCommand.self, CancelCommand.self, RetryCommand.self, PauseCommand.self, ResumeCommand.self,
            DownloadCommand.self, LogsCommand.self, TokenCommand.self, DoctorCommand.self,
        ])

    static func main() async {
        SourcePlace.use(RemoteSources(cache: { try Settings.load().sourceCache() }))
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            Quern.end(with: error)
        }
    }

    private static func end(with error: any Error) -> Never {
        if let status = error as? ExitStatus {
            Foundation.exit(status.rawValue)
        }
        if let failure = error as? QuernError {
            Console.error("quern: error: \(failure)")
            Foundation.exit(ExitStatus(failure).rawValue)
        }
        if error is CancellationError {
            Console.error("quern: interrupted")
            Foundation.exit(ExitStatus.cancelled.rawValue)
        }
        // What remains is the argument parser's own: help and version end well, the rest is a wrong call.
        let wellMeant = exitCode(for: error) == .success
        let text = fullMessage(for: error)
        if wellMeant { print(text) } else { Console.error(text) }
        Foundation.exit(wellMeant ? ExitStatus.done.rawValue : ExitStatus.usage.rawValue)
    }
}

/// The version of the program; the version of the encoders, which decides about bytes, is another.
let quernVersion = "0.1.0"
