import ArgumentParser
import Dispatch
import Foundation
import Glibc
import TestSupport

/// Does harm to real processes that run real jobs, and says whether anything was lost by it.
@main
struct Faults: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quern-faults",
        abstract: "Inject faults into a coordinator, workers, their database, network and disk.",
        discussion: """
            Everything runs the quern program that lies next to this one, or the one that QUERN_BINARY names. The exit \
            status is 1 where something came out that must not; what to run again is printed then.
            """,
        subcommands: [
            KillCommand.self, PauseCommand.self, DatabaseCommand.self, NetworkCommand.self, DiskCommand.self,
            FlipCommand.self, UpgradeCommand.self,
        ])

    static func main() async {
        let sources = [SIGINT, SIGTERM].map(Self.endOrderly)
        await main(nil)
        withExtendedLifetime(sources) {}
    }

    /// Ends, on a signal, all that was started, too.
    private nonisolated static func endOrderly(on number: Int32) -> any DispatchSourceSignal {
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler {
            QuernProcess.killAll()
            // Runs what is registered for the end, which stops the database.
            Glibc.exit(128 + number)
        }
        source.resume()
        return source
    }
}

/// What every command takes.
struct FaultOptions: ParsableArguments {
    @Option(help: "Repeats the choices of an earlier run; the moments at which they fall are never quite the same.")
    var seed: UInt64?

    @Option(help: "How many faults to inject.")
    var count: Int?

    @Option(help: "For how long to inject faults, where no count is given.")
    var minutes: Double?

    @Option(help: "Where jobs are kept: sqlite or postgres.")
    var store = StoreKind.sqlite

    @Option(help: "Worker processes.")
    var workers = 3

    @Option(help: "Kinds of jobs, separated by commas: \(SampleJob.allCases.map(\.rawValue).joined(separator: ", ")).")
    var jobs = SampleJob.allCases.map(\.rawValue).joined(separator: ",")

    @Flag(help: "Keep the folders of rounds in which something was wrong.")
    var keep = false

    func validate() throws {
        guard count ?? 1 > 0, minutes ?? 1 > 0, workers > 0 else {
            throw ValidationError("counts and minutes are more than nothing")
        }
        _ = try kinds()
    }

    func kinds() throws -> [SampleJob] {
        try jobs.split(separator: ",").map { name in
            guard let kind = SampleJob(rawValue: String(name)) else {
                throw ValidationError("there is no kind of job '\(name)'")
            }
            return kind
        }
    }
}

enum StoreKind: String, ExpressibleByArgument, CaseIterable {
    case sqlite, postgres
}
