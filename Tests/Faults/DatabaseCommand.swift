import ArgumentParser
import Foundation
import TestSupport

struct DatabaseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "database",
        abstract: "Restart PostgreSQL, end its sessions, and take all its connections.",
        discussion: """
            Example: quern-faults database --count 270

            Of 27 faults, 20 end sessions, 5 restart the server and 2 take all connections for a while.
            """)

    @OptionGroup var options: FaultOptions

    enum Fault: CaseIterable {
        case endOne, endAll, restartFast, restartImmediately, exhaust
    }

    func run() async throws {
        var options = options
        options.store = .postgres
        let campaign = try Campaign("database", options, count: 27)
        let expected = Expected()
        // Two more than three coordinators use, and the three that are the owner's. Commits are written through: a
        // server that is stopped in a hurry may forget others.
        let server = try await PostgreSQLServer(isDurable: true, connections: 20)
        for user in [Self.plainUser, Self.crowd] { try await server.sql("CREATE ROLE \(user) LOGIN") }
        var deck: [Fault] = []
        try await campaign.run { number, generator in
            var generator = generator
            let kinds = campaign.kinds.shuffled(using: &generator)
            try await Round(campaign: campaign, number: number, expected: expected, kinds: kinds).run {
                settings, lookedAt in
                settings.database = try await server.freshDatabaseURL(owner: Self.plainUser)
                // The server's owner gets in when all places are taken.
                lookedAt = settings.database.replacing("user=\(Self.plainUser)", with: "user=quern")
            } disturb: { scene in
                while try await scene.isRunning(), campaign.goesOn {
                    try await Task.sleep(for: .milliseconds(Int.random(in: 50...600, using: &generator)))
                    if deck.isEmpty { deck = Self.deck(&generator) }
                    guard let fault = deck.popLast() else { return }
                    try await inject(fault, server, campaign, &generator)
                }
            }
        }
        try? await server.stop()
    }

    private static let plainUser = "plain"
    private static let crowd = "crowd"

    private static func deck(_ generator: inout SeededGenerator) -> [Fault] {
        let restarts: [Fault] = (0..<5).map { _ in
            Bool.random(using: &generator) ? .restartFast : .restartImmediately
        }
        let ends: [Fault] = (0..<20).map { $0 < 14 ? .endOne : .endAll }
        return (restarts + ends + [.exhaust, .exhaust]).shuffled(using: &generator)
    }

    private static let sessions = "SELECT pid FROM pg_stat_activity WHERE usename = '\(Self.plainUser)'"
    private static let endSessions = "SELECT pg_terminate_backend(pid) FROM (\(sessions)) all_sessions"
    private static let endOneSession =
        "SELECT pg_terminate_backend(pid) FROM (\(sessions) ORDER BY random() LIMIT 1) one_session"

    private func inject(
        _ fault: Fault, _ server: PostgreSQLServer, _ campaign: Campaign, _ generator: inout SeededGenerator
    ) async throws {
        switch fault {
        case .endOne:
            try await server.sql(Self.endOneSession)
            campaign.fault("one session ended", "end one session of PostgreSQL")
        case .endAll:
            try await server.sql(Self.endSessions)
            campaign.fault("all sessions ended", "end all sessions of PostgreSQL")
        case .restartFast:
            try await server.restart(.fast)
            campaign.fault("restarts, fast", "restart PostgreSQL, fast")
        case .restartImmediately:
            try await server.restart(.immediate)
            campaign.fault("restarts, immediate", "restart PostgreSQL, immediate")
        case .exhaust:
            let seconds = Double.random(in: 1...5, using: &generator)
            let turnedAway = try await exhaust(server, for: seconds)
            campaign.fault(
                "all connections taken",
                "took all connections of PostgreSQL for \(String(format: "%.1f", seconds)) s; "
                    + "others were turned away \(turnedAway) times")
        }
    }

    /// Others take every connection that they can get, while those of the coordinators are ended.
    /// - Returns: how often somebody of the crowd found no place: the server was full then.
    private func exhaust(_ server: PostgreSQLServer, for seconds: Double) async throws -> Int {
        let end = ContinuousClock.now + .seconds(seconds)
        return try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    var turnedAway = 0
                    while ContinuousClock.now < end {
                        if await server.attempt("SELECT pg_sleep(\(seconds))", as: Self.crowd) { break }
                        if ContinuousClock.now < end { turnedAway += 1 }
                        try? await Task.sleep(for: .milliseconds(150))
                    }
                    return turnedAway
                }
            }
            while ContinuousClock.now < end {
                try await server.sql(Self.endSessions)
                try await Task.sleep(for: .milliseconds(300))
            }
            try await server.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '\(Self.crowd)'")
            group.cancelAll()
            return try await group.reduce(0, +)
        }
    }
}
