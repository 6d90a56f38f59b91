import ArgumentParser
import Foundation
import QuernClient
import QuernFormats
import QuernJobs

struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Submit a job to a coordinator; prints the job id.",
        discussion: "Example: quern submit /models/tiny-llama --to Q4_K_M,Q8_0")

    @OptionGroup var recipeOptions: RecipeOptions
    @OptionGroup var remote: RemoteOptions

    @Option(help: ForwardDevice.help)
    var forward: ForwardDevice?

    @Option(help: "Higher classes go first; 0 is usual.")
    var priority = 0

    @Option(help: "A second submission with the same key is answered with the first one's job.")
    var idempotencyKey: String?

    func run() async throws {
        let recipe = try recipeOptions.resolve().computing(on: forward)
        let record = try await remote.client().submit(
            Submission(recipe: recipe, priority: priority, idempotencyKey: idempotencyKey))
        if remote.json { try Console.json(record) } else { Console.line(record.id.rawValue) }
    }
}

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show a job, or all of them.",
        discussion: "Example: quern status 01jd3k9x --json")

    @Argument(help: "A job id.") var job: String?
    @OptionGroup var remote: RemoteOptions

    func run() async throws {
        guard let job else { return try await JobTable.show(remote) }
        let client = try remote.client()
        let record = try await client.job(JobID(rawValue: job))
        if remote.json { return try Console.json(record) }
        let items = try await client.items(of: record.id)
        Console.line(Console.table(JobTable.details(record)))
        let troubled = items.filter { $0.lastError != nil && $0.state != .done }
        for item in troubled.prefix(10) {
            Console.line("  item \(item.ordinal) (\(item.label)), attempt \(item.attempts): \(item.lastError ?? "")")
        }
    }
}

struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List jobs, newest first.", discussion: "Example: quern list")

    @OptionGroup var remote: RemoteOptions

    func run() async throws { try await JobTable.show(remote) }
}

struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Follow a job until it ends.",
        discussion: "Example: quern watch 01jd3k9x")

    @OptionGroup var target: JobTarget

    func run() async throws {
        let (id, options) = (target.id, target.remote)
        let record = try await Interruption.watched {
            let client = try options.client()
            let progress = ProgressBar(options.json ? .json : .human)
            while true {
                let record = try await client.job(id)
                if record.state.isFinal {
                    progress.finish()
                    return record
                }
                try progress.show(record)
                try await Task.sleep(for: .milliseconds(500))
            }
        }
        if options.json { try Console.json(record) } else { Console.line("\(record.id) \(record.state.rawValue)") }
        switch record.state {
        case .failed:
            Console.error("quern: error: \(record.failure ?? "the job failed")")
            throw ExitStatus.failed
        case .cancelled: throw ExitStatus.cancelled
        default: return
        }
    }
}

struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Show what happened to a job.",
        discussion: "Example: quern logs 01jd3k9x")

    @OptionGroup var target: JobTarget

    func run() async throws {
        let client = try target.remote.client()
        var last: Int64 = 0
        while true {
            let events = try await client.events(of: target.id, after: last)
            guard let newest = events.last else { return }
            for event in events {
                if target.remote.json { try Console.json(event) } else { Console.line(line(event)) }
            }
            last = newest.sequence
        }
    }

    private func line(_ event: JobEvent) -> String {
        let time = Date(timeIntervalSince1970: Double(event.time) / 1000).formatted(.iso8601)
        let item = event.ordinal.map { " item \($0)" } ?? ""
        return "\(time) \(event.kind.rawValue)\(item) \(event.message)"
    }
}

/// Jobs as people read them.
enum JobTable {
    static func show(_ remote: RemoteOptions) async throws {
        let records = try await remote.client().jobs(limit: 100)
        if remote.json { return try records.forEach { try Console.json($0) } }
        let rows = records.map { record in
            [
                record.id.rawValue, record.state.rawValue, percent(record), record.name,
                record.artifacts.map(\.target).joined(separator: ","),
            ]
        }
        Console.line(Console.table([["JOB", "STATE", "DONE", "NAME", "TARGETS"]] + rows, rightAligned: [2]))
    }

    static func details(_ record: JobRecord) -> [[String]] {
        var rows = [
            ["job", record.id.rawValue], ["name", record.name], ["state", record.state.rawValue],
            ["done", percent(record)],
            [
                "items",
                record.progress.items.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(
                    separator: ", "),
            ],
        ]
        if let failure = record.failure { rows.append(["failure", failure]) }
        if let waiting = record.waiting { rows.append(["waiting", waiting]) }
        for artifact in record.artifacts {
            for file in artifact.files { rows.append([artifact.target, "\(file.name)  \(Console.size(file.bytes))"]) }
        }
        return rows
    }

    private static func percent(_ record: JobRecord) -> String {
        let progress = record.progress
        return progress.costTotal > 0 ? "\(progress.costDone * 100 / progress.costTotal)%" : "–"
    }
}
