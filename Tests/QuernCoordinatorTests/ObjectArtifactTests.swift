import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import TestSupport
import Testing

/// A coordinator whose artifacts are objects refuses early what could not be written late.
@Suite struct ObjectArtifactTests {
    /// A place that cannot be written to for a reason, or takes small files only.
    private struct Objects: ArtifactObjects {
        var refusal: QuernError?
        var largestFile: UInt64 = 1 << 40
        let path = "memory://objects"

        private var none: QuernError { QuernError(.notFound, "nothing is kept here", at: path) }

        func path(of name: String) throws -> String { "\(path)/\(name)" }
        func below(_ folder: String) -> any ArtifactObjects { self }
        func partBytes(_ size: UInt64) -> Int { 1 << 20 }
        func checkWritable() async throws { if let refusal { throw refusal } }
        func write(_ bytes: [UInt8], as name: String) throws { throw none }
        func begin(_ name: String, size: UInt64) async throws -> any ArtifactUpload { throw none }
        func open(_ name: String) async throws -> any ArtifactObject { throw none }
    }

    private func coordinator(_ folder: TemporaryFolder, _ objects: Objects) async throws -> Coordinator {
        let jobs = try SQLiteJobStore(path: folder.path("jobs.sqlite"))
        try await jobs.migrate()
        return Coordinator(
            store: jobs, blobs: try FolderBlobStore(root: folder.path("blobs"), durability: .process),
            artifacts: .objects(objects), planner: ServiceRig.plan)
    }

    @Test func whatCannotBeWrittenIsRefused() async throws {
        let refusals: [(Objects, QuernError.Code, String)] = [
            (Objects(refusal: QuernError(.notFound, "there is no bucket")), .notFound, "there is no bucket"),
            (Objects(refusal: QuernError(.unauthorized, "not allowed")), .unauthorized, "not allowed"),
            (Objects(largestFile: 10), .unsupported, "--split-max-size"),
        ]
        for (objects, code, words) in refusals {
            let folder = try TemporaryFolder()
            let coordinator = try await coordinator(folder, objects)
            let error = await #expect(throws: QuernError.self) {
                try await coordinator.submit(Submission(recipe: ServiceRig.recipe()))
            }
            #expect(error?.code == code && error?.description.contains(words) == true)
            #expect(try await coordinator.jobs(limit: 10).isEmpty)
        }
    }

    @Test func otherwiseTheJobIsTaken() async throws {
        let folder = try TemporaryFolder()
        let coordinator = try await coordinator(folder, Objects())
        let job = try await coordinator.submit(Submission(recipe: ServiceRig.recipe()))
        #expect(job.state == .running)
    }
}
