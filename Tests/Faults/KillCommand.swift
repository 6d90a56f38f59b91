import ArgumentParser
import Foundation
import TestSupport

struct KillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill",
        abstract: "Kill workers and coordinators with SIGKILL at random, and start others in their place.",
        discussion: "Example: quern-faults kill --store postgres --count 1000")

    @OptionGroup var options: FaultOptions

    func run() async throws {
        let campaign = try Campaign("kill", options, count: 100)
        let expected = Expected()
        try await campaign.run { number, generator in
            var generator = generator
            let kinds = campaign.kinds.shuffled(using: &generator)
            try await Round(campaign: campaign, number: number, expected: expected, kinds: kinds).run { scene in
                var killer = Killer(scene: scene, campaign: campaign, generator: generator)
                while try await scene.isRunning(), campaign.goesOn { try await killer.kill() }
            }
        }
    }
}

/// Chooses who is killed.
struct Killer {
    let scene: Scene
    let campaign: Campaign
    var generator: SeededGenerator

    /// Losses of an item from which on nobody is killed who holds it. The tenth would set it aside, as something that
    /// kills its workers.
    private static let mostLosses = 7

    mutating func kill() async throws {
        try await Task.sleep(for: .milliseconds(Int.random(in: 20...350, using: &generator)))
        let aim = Int.random(in: 0..<4, using: &generator)
        let isCoordinator = Int.random(in: 0..<4, using: &generator) == 0
        let luck = generator.next()
        let role: Cluster.Role = isCoordinator ? .coordinator : .worker
        var target: Cluster.Member?
        // Often where it hurts: processes that have just started hold nothing.
        if aim == 0 { target = try await holder { ["assemble", "publish"].contains($0.stage) } }
        if target == nil, aim < 3 { target = try await holder(role) { _ in true } }
        if target == nil {
            let candidates = await scene.cluster.members.filter { $0.role == role }
            target = candidates[Int(luck % UInt64(candidates.count))]
        }
        guard let target else { return }
        let sessions = target.sessions
        let holding = try await scene.held().filter { sessions.contains($0.session) }
        guard holding.allSatisfy({ $0.losses < Self.mostLosses }) else { return }
        try await scene.cluster.replace(target)
        campaign.fault(
            target.role.rawValue,
            "kill \(target.name) (pid \(target.process.identifier))"
                + (holding.isEmpty ? "" : ", which held " + text(holding)))
        if holding.isEmpty { campaign.journal.count("  held nothing") }
        for stage in Set(holding.map(\.stage)).sorted() { campaign.journal.count("  held \(stage)") }
    }

    private func text(_ holding: [Scene.Held]) -> String {
        holding.prefix(3).map { "\($0.stage) \($0.job)/\($0.ordinal)" }.joined(separator: ", ")
            + (holding.count > 3 ? " and \(holding.count - 3) more" : "")
    }

    /// Waits a moment for somebody to hold an item that is `wanted`, and says who does.
    private func holder(
        _ role: Cluster.Role? = nil, _ wanted: (Scene.Held) -> Bool
    ) async throws -> Cluster.Member? {
        for _ in 0..<30 {
            let sessions = try await scene.held().filter(wanted).map(\.session)
            let members = await scene.cluster.members.filter { role == nil || $0.role == role }
            if let found = members.first(where: { !$0.sessions.isDisjoint(with: sessions) }) { return found }
            try await Task.sleep(for: .milliseconds(10))
        }
        return nil
    }
}
