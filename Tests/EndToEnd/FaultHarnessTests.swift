import Foundation
import TestSupport
import Testing

/// A little of everything that `quern-faults` does; see Tests/Faults/README.md for long runs.
@Suite(.serialized) struct FaultHarnessTests {
    private static let program = QuernProcess.binary.deletingLastPathComponent().appendingPathComponent("quern-faults")

    private func expectNoLoss(_ arguments: [String]) async throws {
        let outcome = try await QuernProcess(arguments, program: Self.program).outcome()
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
        #expect(outcome.output.contains("nothing was lost"), "\(outcome.output)")
    }

    @Test(arguments: ["postgres", "sqlite"])
    func fifteenKills(store: String) async throws {
        try await expectNoLoss(
            ["kill", "--store", store, "--count", "15", "--jobs", "plain,measured"])
    }

    @Test func flippedBits() async throws {
        try await expectNoLoss(["flip", "--count", "60", "--live", "3", "--jobs", "plain"])
    }
}
