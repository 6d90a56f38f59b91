import ArgumentParser
import Foundation
import QuernFormats
import TestSupport

struct UpgradeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade",
        abstract: "Kill processes of an older build one by one, and start those of this one in their place.",
        discussion: """
            Example: quern-faults upgrade --old ../older/.build/release/quern --count 60

            Coordinators and workers of both builds share one PostgreSQL database while jobs run. The first newer \
            coordinator brings the database up to date below the older ones; now and then a newer process is killed \
            while it starts. In the end, when all are newer, what has ended moves to history.
            """)

    @OptionGroup var options: FaultOptions

    @Option(help: "The older build of quern.", completion: .file())
    var old: String

    func validate() throws {
        guard FileManager.default.isExecutableFile(atPath: old) else {
            throw ValidationError("'\(old)' is no program")
        }
    }

    func run() async throws {
        var options = options
        options.store = .postgres
        let older = URL(fileURLWithPath: old)
        let campaign = try Campaign("upgrade", options, count: 6)
        let expected = Expected(programs: [QuernProcess.binary, older])
        try await campaign.run { number, generator in
            var generator = generator
            let kinds = campaign.kinds.shuffled(using: &generator)
            try await Round(campaign: campaign, number: number, expected: expected, kinds: kinds).run { settings, _ in
                settings.program = older
                settings.coordinatorOptions = []
            } disturb: { scene in
                var upgrade = Upgrade(scene: scene, campaign: campaign, generator: generator)
                try await upgrade.run()
            }
        }
    }
}

/// One rolling upgrade, in a random order.
private struct Upgrade {
    let scene: Scene
    let campaign: Campaign
    var generator: SeededGenerator
    /// Sessions of older processes.
    private var older: Set<String> = []

    init(scene: Scene, campaign: Campaign, generator: SeededGenerator) {
        (self.scene, self.campaign, self.generator) = (scene, campaign, generator)
    }

    mutating func run() async throws {
        let version = try await schema()
        await scene.cluster.install(QuernProcess.binary, coordinatorOptions: ["--history-age", "1"])
        let members = await scene.cluster.members.shuffled(using: &generator)
        // Now and then everything is done by then: there is always something to do.
        let more = campaign.kinds[Int.random(in: 0..<campaign.kinds.count, using: &generator)]
        for (number, member) in members.enumerated() {
            try await Task.sleep(for: .milliseconds(Int.random(in: 50...2500, using: &generator)))
            if number == members.count / 2 { try await scene.submit(more) }
            older.formUnion(member.sessions)
            var next = try await scene.cluster.replace(member)
            campaign.fault(
                "older \(member.role.rawValue)", "kill the older \(member.name) (pid \(member.process.identifier))")
            // The first newer coordinator migrates.
            while Int.random(in: 0..<3, using: &generator) == 0 {
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...400, using: &generator)))
                let identifier = next.process.identifier
                next = try await scene.cluster.replace(next)
                campaign.fault("newer \(next.role.rawValue)", "kill the newer \(next.name) (pid \(identifier))")
            }
        }
        try await scene.finish()
        try await waitForHistory()
        try await count(from: version)
        try checkLogs()
    }

    private func schema() async throws -> Int {
        try await scene.database.rows("SELECT max(version) FROM schema_version").first?[0].number ?? 0
    }

    /// Returns when all has moved that may.
    private func waitForHistory() async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try await scene.database.rows("SELECT 1 FROM jobs WHERE history < 2 LIMIT 1").isEmpty == false {
            guard ContinuousClock.now < deadline else {
                throw QuernError(.unavailable, "jobs that are done do not move to history")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        if try await scene.database.rows("SELECT 1 FROM work_items LIMIT 1").isEmpty == false {
            throw QuernError(.corrupted, "items stay behind although their job has moved")
        }
    }

    private func count(from version: Int) async throws {
        scene.journal.line("the schema went from \(version) to \(try await schema())")
        for row in try await scene.database.rows("SELECT session FROM all_attempts WHERE outcome = 'done'") {
            scene.journal.count("accepted, of \(older.contains(row[0].string) ? "older" : "newer") processes")
        }
    }

    /// Coordinators of both builds have nothing to complain of, and the newer ones can say so.
    private func checkLogs() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: scene.folder.path("logs"))
        where name.hasPrefix("coordinator") {
            let log = try String(contentsOfFile: scene.folder.path("logs/\(name)"), encoding: .utf8)
            for line in log.split(separator: "\n") {
                if line.contains(" error ") || line.contains(" critical ") {
                    scene.journal.violation("\(name): \(line)")
                }
                if line.contains(" warning ") {
                    scene.journal.count("warnings of coordinators")
                    scene.journal.line("\(name): \(line)")
                }
            }
        }
    }
}
