import QuernFormats
import QuernJobs
import QuernStore

extension Coordinator {
    static let manifestName = "manifest.json"

    /// The files of a job's output: those of every target in the order of the plan, then reports once they are
    /// written, then the manifest. Digests are there for what is written.
    public func artifacts(of id: JobID) async throws -> [OutputFile] {
        let job = try await job(id)
        let written = try await store.items(of: id).filter {
            ($0.stage == .assemble || $0.stage == .publish) && $0.state == .done
        }
        var digests: [String: (size: UInt64, sha256: Digest)] = [:]
        var reports: [OutputFile] = []
        for result in try await store.results(of: id, ordinals: written.map(\.ordinal)).values {
            switch result {
            case .assemble(let file): digests[file.file] = (file.size, file.sha256)
            case .publish(let manifest):
                digests[Self.manifestName] = (manifest.size, manifest.sha256)
                reports = manifest.reports.map {
                    OutputFile(target: nil, name: $0.name, bytes: $0.size, sha256: $0.sha256)
                }
            case .digest, .tokenize, .calibrate, .merge, .scan, .balance, .factor, .measure, .collect, .encode,
                .evaluate:
                break
            }
        }
        var files = job.artifacts.flatMap { artifact in
            artifact.files.map { file in
                OutputFile(
                    target: artifact.target, name: file.name, bytes: file.bytes, sha256: digests[file.name]?.sha256)
            }
        }
        files += reports
        let manifest = digests[Self.manifestName]
        files.append(
            OutputFile(target: nil, name: Self.manifestName, bytes: manifest?.size, sha256: manifest?.sha256))
        return files
    }

    /// Opens a file of a job's output for reading. Only names that the plan knows can be opened, so none leads out of
    /// the folder.
    /// - Throws: `.notFound` where there is no such file or it is not written yet, `.corrupted` where it has not the
    ///   size that it was written with.
    func openArtifact(_ name: String, of id: JobID) async throws -> (file: any ArtifactReader, sha256: Digest) {
        let place = "\(id)/\(name)"
        guard let output = try await artifacts(of: id).first(where: { $0.name == name }) else {
            throw QuernError(
                .notFound, "the job makes no file of this name", at: place,
                remedy: "See /v1/jobs/\(id)/artifacts for those it makes")
        }
        guard let digest = output.sha256, let size = output.bytes else {
            throw QuernError(.notFound, "the file is not written yet", at: place, remedy: "Wait for the job")
        }
        let file = try await artifacts.open(name, of: id, threads)
        guard file.size == size else {
            throw QuernError(
                .corrupted, "the file has \(file.size) bytes, but was written with \(size)", at: place,
                remedy: "Somebody changed it where it lies: submit the job again")
        }
        return (file, digest)
    }
}
