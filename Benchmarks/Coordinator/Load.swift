import Foundation
import QuernFormats
import QuernJobs
import QuernStore

/// Jobs of many small items, always one more than is needed.
final class Load: Sendable {
    private let store: any JobStore
    private let items: Int

    init(store: any JobStore, items: Int) {
        self.store = store
        self.items = items
    }

    func add() async throws {
        let id = JobID(rawValue: UUID().uuidString)
        let planned = (0..<items).map { ordinal in
            // Equal items, the worst case for an index by cost.
            PlannedItem(
                payload: .encode(Self.work(ordinal)), cost: 1 << 26, memory: 1 << 28,
                label: "blk.\(ordinal / 7).ffn_down.weight rows 0–1023")
        }
        _ = try await store.insert(
            NewJob(
                id: id, name: "load", recipe: Recipe(source: "/models/load", targets: [Recipe.Target(gguf: "Q8_0")]),
                priority: 0, idempotencyKey: nil, items: planned, artifacts: []))
    }

    func keepUp(with record: Record) async throws {
        var added = 2 * items
        while !Task.isCancelled {
            if added - record.itemsDone < items {
                try await add()
                added += items
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    private static func work(_ ordinal: Int) -> EncodeWork {
        EncodeWork(
            files: [
                SourceFile(
                    path: "/models/load/model-00001-of-00004.safetensors", name: "model-00001-of-00004.safetensors",
                    size: 5_000_000_000, modified: 0)
            ],
            spans: [], encoder: "reference-1")
    }
}

/// A transaction that another program has left open, which keeps the database from forgetting any old row.
final class PinnedTransaction {
    private let process = Process()

    init(url: String) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let script = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM jobs; SELECT pg_sleep(86400)"
        process.arguments = ["psql", "-X", "-q", "-d", url, "-c", script]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    /// Does not wait for it: the server ends all connections when it stops.
    func end() {
        process.terminate()
    }
}
