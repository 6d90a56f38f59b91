import Foundation
import QuernFormats
import TestSupport

/// Measures how many items are done in a second before a fault, and how long after it until it is as many again.
struct Healing {
    let scene: Scene
    let campaign: Campaign
    let expected: Expected
    let wires: Wires
    let hold: Double
    let only: Wires.Fault?

    private static let window = 8
    private static let limit = 60
    /// Jobs in flight; those beyond the first are all of one kind, so that their items are alike.
    private static let jobs = 6

    func run() async throws {
        let feeding = Task { await feed() }
        defer { feeding.cancel() }
        // Until what can be found in the cache is there, and jobs of other kinds are done.
        while try await doneJobs() < campaign.kinds.count + 5 { try await Task.sleep(for: .milliseconds(500)) }
        for (index, (edge, fault)) in wires.possible.enumerated() where only ?? fault == fault {
            guard campaign.goesOn else { break }
            let before = try await rate(Self.window)
            let start = try await itemsDone()
            try wires.begin(fault, on: edge, seed: campaign.seed &+ UInt64(index))
            let held = fault == .reset ? 1 : hold
            try await Task.sleep(for: .seconds(held))
            try wires.heal()
            // Without its database a coordinator does not even tell its counters.
            let during = Double(try await itemsDone() - start) / held
            let (seconds, after) = try await recovery(to: 0.95 * before)
            campaign.fault(
                "\(edge.rawValue): \(fault.rawValue)",
                String(
                    format:
                        "%@: %@: %.1f items/s before, %.1f during, %.1f after; 95 %% in the %d s that ended %d s after healing",
                    edge.rawValue, fault.rawValue, before, during, after, Self.window, seconds))
            if after < 0.95 * before {
                campaign.journal.violation("after \(fault.rawValue) on \(edge.rawValue) work goes on too slowly")
            }
        }
    }

    /// Keeps jobs coming until it is cancelled.
    private func feed() async {
        var retired = ContinuousClock.now
        while !Task.isCancelled {
            do {
                if ContinuousClock.now - retired > .seconds(5) {
                    try await retire()
                    retired = .now
                }
                let running = try await scene.database.rows("SELECT count(*) FROM jobs WHERE state = 'running'")
                if running.first?[0].number ?? 0 < Self.jobs {
                    try await scene.submit(.plain)
                } else {
                    try await Task.sleep(for: .milliseconds(50))
                }
            } catch {
                // What was submitted while the coordinators had no database, say.
                if !Task.isCancelled { scene.journal.count("submissions that failed") }
            }
        }
    }

    /// Looks at what the jobs that are done have made, and removes it: hundreds of jobs would fill the disk.
    private func retire() async throws {
        let kept = scene.jobs.all
        for row in try await scene.database.rows("SELECT id FROM jobs WHERE state = 'done'") {
            let id = row[0].string
            guard let kind = kept[id] else { continue }
            let folder = "\(scene.store)/artifacts/\(id)"
            try await expected.compare(FolderDigests.of(folder), of: id, kind, scene.journal)
            try FileManager.default.removeItem(atPath: folder)
            scene.jobs.remove(id)
            scene.journal.count("jobs looked at early")
        }
    }

    private func doneJobs() async throws -> Int {
        try await scene.database.rows("SELECT count(*) FROM jobs WHERE state = 'done'").first?[0].number ?? 0
    }

    /// By the coordinators' own count. None of them is ended here, so it only grows.
    private func itemsDone() async throws -> Int {
        try await Metrics.sum("items_completed_total", of: scene.cluster.urls)
    }

    private func rate(_ seconds: Int) async throws -> Double {
        let start = try await itemsDone()
        let begun = ContinuousClock.now
        try await Task.sleep(for: .seconds(seconds))
        return Double(try await itemsDone() - start) / ((ContinuousClock.now - begun) / .seconds(1))
    }

    /// Looks every second at the rate of the last few.
    /// - Returns: the seconds until it was `wanted`, and what it was then; the best where it never was.
    private func recovery(to wanted: Double) async throws -> (seconds: Int, rate: Double) {
        let begun = ContinuousClock.now
        var counts: [(at: Double, done: Int)] = []
        var best = (seconds: Self.limit, rate: 0.0)
        while true {
            let at = (ContinuousClock.now - begun) / .seconds(1)
            guard at <= Double(Self.limit) else { return best }
            counts.append((at, try await itemsDone()))
            if let first = counts.last(where: { at - $0.at >= Double(Self.window) - 0.1 }) {
                let rate = Double(counts[counts.count - 1].done - first.done) / (at - first.at)
                if rate > best.rate { best = (Int(at.rounded()), rate) }
                if rate >= wanted { return (Int(at.rounded()), rate) }
            }
            try await Task.sleep(for: .seconds(1))
        }
    }
}
