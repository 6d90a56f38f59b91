import ArgumentParser
import QuernClient
import QuernFormats
import QuernJobs

/// The commands that change a job's state differ in one word.
protocol ControlCommand: AsyncParsableCommand {
    static var action: JobAction { get }
    var job: String { get }
    var remote: RemoteOptions { get }
}

extension ControlCommand {
    func run() async throws {
        let record = try await remote.client().control(JobID(rawValue: job), Self.action)
        if remote.json { try Console.json(record) } else { Console.line("\(record.id) \(record.state.rawValue)") }
    }
}

struct CancelCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Stop a job for good; retry takes it up again.",
        discussion: "Example: quern cancel 01jd3k9x")
    static let action = JobAction.cancel
    @Argument(help: "A job id.") var job: String
    @OptionGroup var remote: RemoteOptions
}

struct RetryCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Take up a failed or cancelled job; what is done stays done.",
        discussion: "Example: quern retry 01jd3k9x")
    static let action = JobAction.retry
    @Argument(help: "A job id.") var job: String
    @OptionGroup var remote: RemoteOptions
}

struct PauseCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Lease out no more of a job's work.",
        discussion: "Example: quern pause 01jd3k9x")
    static let action = JobAction.pause
    @Argument(help: "A job id.") var job: String
    @OptionGroup var remote: RemoteOptions
}

struct ResumeCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Go on with a paused job.",
        discussion: "Example: quern resume 01jd3k9x")
    static let action = JobAction.resume
    @Argument(help: "A job id.") var job: String
    @OptionGroup var remote: RemoteOptions
}
