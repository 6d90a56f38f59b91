import ArgumentParser
import QuernClient
import QuernFormats
import QuernJobs

/// The commands that change a job's state differ in one word.
protocol ControlCommand: AsyncParsableCommand {
    static var action: JobAction { get }
    var target: JobTarget { get }
}

extension ControlCommand {
    func run() async throws {
        let record = try await target.remote.client().control(target.id, Self.action)
        if target.remote.json {
            try Console.json(record)
        } else {
            Console.line("\(record.id) \(record.state.rawValue)")
        }
    }
}

struct CancelCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Stop a job for good; retry takes it up again.",
        discussion: "Example: quern cancel 01jd3k9x")
    static let action = JobAction.cancel
    @OptionGroup var target: JobTarget
}

struct RetryCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Take up a failed or cancelled job; what is done stays done.",
        discussion: "Example: quern retry 01jd3k9x")
    static let action = JobAction.retry
    @OptionGroup var target: JobTarget
}

struct PauseCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Lease out no more of a job's work.",
        discussion: "Example: quern pause 01jd3k9x")
    static let action = JobAction.pause
    @OptionGroup var target: JobTarget
}

struct ResumeCommand: ControlCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Go on with a paused job.",
        discussion: "Example: quern resume 01jd3k9x")
    static let action = JobAction.resume
    @OptionGroup var target: JobTarget
}
