import Foundation
import QuernFormats
import TestSupport

/// What an undisturbed `quern quantize` makes of the jobs, made once for each kind.
actor Expected {
    /// Builds of the program that may have a hand in a job.
    private let programs: [URL]
    private var digests: [SampleJob: Files] = [:]

    /// Files that a job may leave.
    struct Files: Sendable {
        /// Names with their sha256, as each of the builds makes them.
        let made: [[String: String]]

        var names: Set<String> { Set(made.flatMap(\.keys)) }

        /// What one of the builds makes of a file, for people.
        func wanted(_ name: String) -> String { made.first?[name] ?? "none" }

        /// - Parameter digest: nil where there is no such file.
        func allow(_ digest: String?, for name: String) -> Bool { made.contains { $0[name] == digest } }
    }

    init(programs: [URL] = [QuernProcess.binary]) { self.programs = programs }

    func files(of job: SampleJob) async throws -> Files {
        if let known = digests[job] { return known }
        var made: [[String: String]] = []
        for program in programs { made.append(try await Self.files(of: job, by: program)) }
        let files = Files(made: made)
        digests[job] = files
        return files
    }

    private static func files(of job: SampleJob, by program: URL) async throws -> [String: String] {
        let folder = try TemporaryFolder()
        let output = folder.path("alone")
        let outcome = try await QuernProcess(
            ["quantize", Fixtures.sample, "--output", output, "--quiet"] + job.arguments, program: program
        ).outcome()
        guard outcome.status == 0 else {
            throw QuernError(
                .internalFault, "the undisturbed run of \(program.path) fails: \(outcome.errors)", at: job.rawValue)
        }
        return try FolderDigests.of(output)
    }

    /// Holds what a job made against what an undisturbed run makes.
    /// - Parameter made: file names with their sha256.
    func compare(_ made: [String: String], of id: String, _ kind: SampleJob, _ journal: Journal) async throws {
        let wanted = try await files(of: kind)
        for name in wanted.names.union(made.keys).sorted() where !wanted.allow(made[name], for: name) {
            journal.violation(
                "\(id) (\(kind.rawValue)): \(name) has sha256 \(made[name] ?? "none"), not \(wanted.wanted(name))")
        }
        journal.count("files of artifacts equal", made.count { wanted.allow($0.value, for: $0.key) })
    }
}
