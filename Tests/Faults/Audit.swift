import Foundation
import QuernStore
import TestSupport

/// Looks over what a stopped cluster leaves behind.
struct Audit {
    let scene: Scene
    /// Whether items may have been opened again because what they made was lost.
    let losesBlobs: Bool

    private var journal: Journal { scene.journal }

    func run() async throws {
        try await checkItems()
        try checkBlobs()
        try checkArtifacts()
    }

    private struct Attempt {
        let number: Int
        let lease: String
        let outcome: String
        let message: String
    }

    /// Every item is done, and by exactly one accepted attempt each time it was open.
    private func checkItems() async throws {
        var attempts: [String: [Attempt]] = [:]
        for row in try await scene.database.rows(
            "SELECT job, ordinal, attempt, lease_id, coalesce(outcome, ''), message FROM all_attempts ORDER BY attempt")
        {
            attempts["\(row[0].string)/\(row[1].number)", default: []].append(
                Attempt(
                    number: row[2].number, lease: row[3].string, outcome: row[4].string, message: row[5].string))
        }
        let items = try await scene.database.rows(
            """
            SELECT w.job, w.ordinal, w.state, w.fence, w.attempts, w.losses, w.lease_id, w.stage,
                CASE WHEN r.ordinal IS NULL THEN 0 ELSE 1 END
            FROM all_work_items w LEFT JOIN item_results r ON r.job = w.job AND r.ordinal = w.ordinal
            """)
        for row in items {
            let name = "\(row[0].string)/\(row[1].number)"
            check(
                "item \(name) (\(row[7].string))", state: row[2].string, fence: row[3].number, count: row[4].number,
                losses: row[5].number, lease: row[6].string, hasResult: row[8].number == 1, attempts[name] ?? [])
        }
        for row in try await scene.database.rows(
            "SELECT job, count(*) FROM events WHERE kind = 'done' GROUP BY job") where row[1].number != 1
        {
            journal.violation("job \(row[0].string) was done \(row[1].number) times")
        }
        journal.count("items", items.count)
    }

    private func check(
        _ name: String, state: String, fence: Int, count: Int, losses: Int, lease: String, hasResult: Bool,
        _ attempts: [Attempt]
    ) {
        if state != "done" { journal.violation("\(name) is \(state)") }
        if !hasResult { journal.violation("\(name) has no result") }
        if attempts.map(\.number) != (0..<count).map({ $0 + 1 }) {
            journal.violation("\(name) has attempts \(attempts.map(\.number)), and was claimed \(count) times")
        }
        for attempt in attempts where attempt.outcome.isEmpty {
            journal.violation("\(name): attempt \(attempt.number) has no end")
        }
        let done = attempts.filter { $0.outcome == "done" }
        // The fence grows with every claim, every loss, every result that is dropped, and every lease that ends
        // because what the work is made from has changed.
        let outdated = attempts.count { $0.message == "what it is made from has changed" }
        let openings = 1 + fence - count - losses - outdated
        if done.count != openings {
            journal.violation("\(name): \(done.count) attempts accepted in \(openings) openings")
        }
        if openings != 1, !losesBlobs { journal.violation("\(name) was opened \(openings) times") }
        if let last = done.last, last.lease != lease { journal.violation("\(name) was done under another lease") }
        journal.count("attempts", attempts.count)
        journal.count("  accepted", done.count)
        for attempt in attempts where attempt.outcome != "done" { journal.count("  \(attempt.outcome)") }
        journal.count("items opened again", openings - 1)
    }

    /// Every blob holds what its name says.
    private func checkBlobs() throws {
        let store = try FolderBlobStore(root: scene.store)
        let root = scene.store + "/sha256"
        for name in try FileManager.default.subpathsOfDirectory(atPath: root) where name.utf8.count > 5 {
            let file = name.split(separator: "/").last.map(String.init) ?? name
            let hex = file.hasSuffix(".zst") ? String(file.dropLast(4)) : file
            guard let digest = Digest(hex: hex), name == "\(hex.prefix(2))/\(hex.dropFirst(2).prefix(2))/\(file)" else {
                journal.violation("\(root)/\(name) has not the name of a blob")
                continue
            }
            do {
                try store.stream(digest, checked: true) { _ in }
                journal.count("blobs whole")
            } catch {
                journal.violation("\(error)")
            }
        }
        let damaged = try FileManager.default.contentsOfDirectory(atPath: scene.store + "/damaged")
        if !damaged.isEmpty, !losesBlobs { journal.violation("blobs were damaged: \(damaged)") }
        let left = try FileManager.default.contentsOfDirectory(atPath: scene.store + "/tmp")
        journal.count("temporary files left by the killed", left.count)
    }

    /// Folders of artifacts hold what the jobs make, and else only what says that it is partial.
    private func checkArtifacts() throws {
        for id in scene.jobs.all.keys {
            let wanted = Set(try FolderDigests.of(scene.folder.path("downloaded/\(id)")).keys)
            let found = Set(try FolderDigests.of("\(scene.store)/artifacts/\(id)").keys)
            for name in found.subtracting(wanted) {
                if name.wholeMatch(of: /.*\.partial-[0-9a-f]{16}/) == nil {
                    journal.violation("job \(id) left \(name)")
                } else {
                    journal.count("partial files left by the killed")
                }
            }
            for name in wanted.subtracting(found) { journal.violation("job \(id) lost \(name)") }
        }
    }
}
