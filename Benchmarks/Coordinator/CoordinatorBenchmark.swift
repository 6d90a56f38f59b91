import ArgumentParser
import Foundation
import QuernClient
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import TestSupport

/// How many claims and completions a second a coordinator takes from simulated workers, and how long they wait.
@main
struct CoordinatorBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quern-coordinator-benchmark",
        abstract: "Simulated workers on one coordinator with a real database.",
        discussion: """
            Example: quern-coordinator-benchmark --store postgres --workers 2000 --seconds 1800 --rate 1000 --pin

            Coordinator, server and workers share this process and its cores with each other; PostgreSQL is started in \
            a temporary folder and writes every commit to the disk. Nothing is computed: a worker claims an item, \
            waits, and hands it in.
            """)

    enum Store: String, ExpressibleByArgument, CaseIterable { case sqlite, postgres }

    @Option(help: "sqlite or postgres.") var store: Store = .postgres
    @Option(help: "A PostgreSQL to use instead of one of its own: its database has to be empty.") var database: String?
    @Option(help: "Simulated workers, each with a session and one item at a time.") var workers = 2000
    @Option(help: "Items a second that they try to do together; 0 for as many as they can.") var rate = 0.0
    @Option(help: "How long to measure.") var seconds = 60.0
    @Option(help: "Items of each job.") var items = 5000
    @Flag(help: "Hold a transaction open all the time that began before the first job (PostgreSQL).") var pin = false
    @Flag(help: "Call the coordinator directly, without HTTP.") var direct = false
    @Option(help: "Seconds between two lines.") var interval = 10.0
    @Flag(help: "Print one JSON object per line.") var json = false

    func validate() throws {
        guard workers > 0, seconds > 0, interval > 0, items > 0, rate >= 0 else {
            throw ValidationError("numbers must be above 0")
        }
        guard !pin || store == .postgres else { throw ValidationError("--pin is for PostgreSQL") }
    }

    func run() async throws {
        let folder = try TemporaryFolder()
        var server: PostgreSQLServer?
        var pinned: PinnedTransaction?
        let jobs: any JobStore
        switch store {
        case .sqlite:
            jobs = try SQLiteJobStore(path: folder.path("jobs.sqlite"))
        case .postgres:
            if database == nil { server = try await PostgreSQLServer(isDurable: true, sharedBuffers: "1GB") }
            let url: String
            if let database { url = database } else { url = try await server!.freshDatabase() }
            jobs = PostgresJobStore(url: url)
            try await jobs.migrate()
            if pin { pinned = try PinnedTransaction(url: url) }
        }
        try await jobs.migrate()
        var settings = CoordinatorSettings()
        // Nothing is stored, so results name no blob that is there.
        settings.collection = nil
        settings.claimLimit = 2
        let coordinator = Coordinator(
            store: jobs, blobs: try FolderBlobStore(root: folder.path("blobs")),
            artifacts: .perJob(root: folder.path("out")), settings: settings)
        let load = Load(store: jobs, items: items)
        for _ in 0..<2 { try await load.add() }
        let record = Record()
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            let service: any WorkerService
            if direct {
                group.addTask { try await coordinator.run() }
                service = coordinator
            } else {
                let (ports, announce) = AsyncStream.makeStream(of: Int.self)
                group.addTask {
                    try await CoordinatorServer(coordinator: coordinator, listen: "127.0.0.1:0").run {
                        announce.yield($0)
                    }
                }
                var iterator = ports.makeAsyncIterator()
                guard let port = await iterator.next() else { return }
                service = try CoordinatorClient(url: "http://127.0.0.1:\(port)")
            }
            group.addTask { try await load.keepUp(with: record) }
            let pause = rate > 0 ? Double(workers) / rate : 0
            for number in 0..<workers {
                let worker = SimulatedWorker(number: number, service: service, pause: pause, record: record)
                group.addTask { try await worker.run() }
            }
            try await report(record)
        }
        pinned?.end()
        try await server?.stop()
    }

    private func report(_ record: Record) async throws {
        let clock = ContinuousClock()
        // Sessions open and connections form.
        try await Task.sleep(for: .seconds(5))
        _ = record.take()
        let begin = clock.now
        var last = begin
        var total = Figures()
        while clock.now - begin < .seconds(seconds) {
            try await Task.sleep(for: .seconds(min(interval, seconds)))
            let now = clock.now
            let figures = record.take()
            total.add(figures)
            show(figures, over: (now - last).seconds, at: (now - begin).seconds, "interval")
            last = now
        }
        show(total, over: (last - begin).seconds, at: (last - begin).seconds, "all")
    }

    private func show(_ figures: Figures, over time: Double, at moment: Double, _ name: String) {
        let claims = Double(figures.claims.count) / time
        let completions = Double(figures.completions.count) / time
        let parts: [(String, Double)] = [
            ("seconds", moment), ("claims_per_second", claims), ("completions_per_second", completions),
            ("claim_p50_ms", figures.claims.quantile(0.5)), ("claim_p99_ms", figures.claims.quantile(0.99)),
            ("claim_max_ms", figures.claims.quantile(1)), ("complete_p50_ms", figures.completions.quantile(0.5)),
            ("complete_p99_ms", figures.completions.quantile(0.99)), ("errors", Double(figures.errors)),
        ]
        let text: String
        if json {
            let fields = parts.map { "\"\($0.0)\": \(String(format: "%.2f", $0.1))" }
            text = "{\"of\": \"\(name)\", \(fields.joined(separator: ", "))}"
        } else {
            text = "\(name)  " + parts.map { "\($0.0) \(String(format: "%.1f", $0.1))" }.joined(separator: "  ")
        }
        FileHandle.standardOutput.write(Data("\(text)\n".utf8))
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
