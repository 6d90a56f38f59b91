import ArgumentParser
import Foundation
import TestSupport

extension Wires.Fault: ExpressibleByArgument {}

struct NetworkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network",
        abstract: "Cut, slow and garble the wires between workers, coordinators and the database.",
        discussion: """
            Example: quern-faults network --store postgres --count 100

            As root, with ip and nft installed, workers and coordinators get network namespaces of their own, and \
            packets are dropped on the way. Without, that part is left out, and all else passes relays in this process.

            With --measure every fault is held for a while, once on each edge, and the items done in a second are \
            counted before and after it.
            """)

    @OptionGroup var options: FaultOptions

    @Flag(help: "Measure how soon work goes on as before.")
    var measure = false

    @Option(help: "Seconds that a measured fault lasts.")
    var hold = 10.0

    @Option(help: "Only this one: \(Wires.Fault.allCases.map(\.rawValue).joined(separator: ", ")).")
    var only: Wires.Fault?

    func run() async throws {
        Namespaces.enter()
        let campaign = try Campaign(measure ? "network --measure" : "network", options, count: 40)
        let namespaces = try Namespaces()
        campaign.journal.line(
            namespaces == nil ? "without namespaces: no packets are dropped" : "with network namespaces")
        let expected = Expected()
        try await campaign.run { number, generator in
            var generator = generator
            let kinds = campaign.kinds.shuffled(using: &generator)
            let server = options.store == .postgres ? try await PostgreSQLServer.shared : nil
            var laid: Wires?
            try await Round(campaign: campaign, number: number, expected: expected, kinds: kinds).run { settings, _ in
                // Longer than what a slow exchange takes.
                settings.sessionExpiry = 6
                laid = try await Wires(for: &settings, server: server, namespaces: namespaces)
            } disturb: { scene in
                guard let wires = laid else { return }
                if measure {
                    try await Healing(
                        scene: scene, campaign: campaign, expected: expected, wires: wires, hold: hold, only: only
                    ).run()
                    return
                }
                while try await scene.isRunning(), campaign.goesOn {
                    try await Task.sleep(for: .milliseconds(Int.random(in: 100...1000, using: &generator)))
                    try await inject(wires, campaign, &generator)
                }
            }
        }
    }

    private func inject(_ wires: Wires, _ campaign: Campaign, _ generator: inout SeededGenerator) async throws {
        guard let (edge, fault) = wires.possible.filter({ only ?? $1 == $1 }).randomElement(using: &generator) else {
            return
        }
        let seconds = Double.random(in: 0.3...5, using: &generator)
        try wires.begin(fault, on: edge, seed: generator.next())
        if fault != .reset { try await Task.sleep(for: .seconds(seconds)) }
        try wires.heal()
        let time = fault == .reset ? "" : String(format: " for %.1f s", seconds)
        campaign.fault("\(edge.rawValue): \(fault.rawValue)", "\(edge.rawValue): \(fault.rawValue)\(time)")
    }
}
