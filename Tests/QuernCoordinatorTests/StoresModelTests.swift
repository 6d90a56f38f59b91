import Foundation
import QuernCoordinator
import QuernFormats
import QuernJobs
import TestSupport
import Testing

/// Random operations, each done on the model in memory and on a database; after each, both must look the same.
@Suite struct StoresModelTests {
    /// `QUERN_TEST_SEED` and `QUERN_TEST_STEPS` repeat a run or make it longer.
    private static var seeds: [UInt64] {
        ProcessInfo.processInfo.environment["QUERN_TEST_SEED"].flatMap(UInt64.init).map { [$0] } ?? [1, 2, 3, 4]
    }
    private static let steps =
        ProcessInfo.processInfo.environment["QUERN_TEST_STEPS"].flatMap(Int.init) ?? 400

    @Test(arguments: [StoreKind.sqlite, .postgres], seeds)
    func behavesAsTheModel(_ kind: StoreKind, _ seed: UInt64) async throws {
        var settings = JobStoreSettings.steady
        settings.largestCountedFanIn = 2
        settings.suspiciousItems = 3
        settings.shortestDeadline = 200_000
        settings.retry = RetryPolicy(maximumFailures: 3, maximumInterruptions: 4, maximumRewinds: 3, seed: seed)
        let model = StoreDriver(rig: try await StoreRig.make(.memory, settings: settings))
        let subject = StoreDriver(rig: try await StoreRig.make(kind, settings: settings))
        var random = SeededGenerator(seed: seed)
        var history: [String] = []

        for step in 0..<Self.steps {
            let operation = StoreOperation.random(using: &random, leases: model.leaseCount)
            history.append("\(operation)")
            let expected = await model.perform(operation)
            let actual = await subject.perform(operation)
            let wanted = try await model.snapshot()
            let found = try await subject.snapshot()
            guard expected == actual, wanted == found else {
                let differences = zip(wanted, found).filter { $0 != $1 }.map { "model: \($0)\nstore: \($1)" }
                Issue.record(
                    """
                    \(kind) differs from the model with seed \(seed) at step \(step)
                    operations: \(history.suffix(25).joined(separator: "\n    "))
                    answer of the model: \(expected)
                    answer of the store: \(actual)
                    \(differences.joined(separator: "\n"))
                    """)
                return
            }
        }
        #expect(subject.itemsMoved > 0)
    }
}
