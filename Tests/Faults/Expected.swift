import Foundation
import QuernFormats
import TestSupport

/// What an undisturbed `quern quantize` makes of the jobs, made once for each kind.
actor Expected {
    private var digests: [SampleJob: [String: String]] = [:]

    /// File names with their sha256.
    func files(of job: SampleJob) async throws -> [String: String] {
        if let known = digests[job] { return known }
        let folder = try TemporaryFolder()
        let output = folder.path("alone")
        let outcome = try await QuernProcess.run(
            ["quantize", Fixtures.sample, "--output", output, "--quiet"] + job.arguments)
        guard outcome.status == 0 else {
            throw QuernError(.internalFault, "the undisturbed run fails: \(outcome.errors)", at: job.rawValue)
        }
        let made = try FolderDigests.of(output)
        digests[job] = made
        return made
    }

    /// Holds what a job made against what an undisturbed run makes.
    /// - Parameter made: file names with their sha256.
    func compare(_ made: [String: String], of id: String, _ kind: SampleJob, _ journal: Journal) async throws {
        let wanted = try await files(of: kind)
        for name in Set(made.keys).union(wanted.keys).sorted() where made[name] != wanted[name] {
            journal.violation(
                "\(id) (\(kind.rawValue)): \(name) has sha256 \(made[name] ?? "none"), not \(wanted[name] ?? "none")")
        }
        journal.count("files of artifacts equal", wanted.keys.count { made[$0] == wanted[$0] })
    }
}
