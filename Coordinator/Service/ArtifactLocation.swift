import QuernFormats
import QuernJobs
import QuernStore

/// Where the files of jobs lie.
public enum ArtifactLocation: Sendable {
    /// Each job in a folder of its own below this one, named by the job's id.
    case perJob(root: String)
    /// All in one folder: there is one job.
    case shared(folder: String)
    /// Each job below a prefix of its own, named by the job's id.
    case objects(any ArtifactObjects)

    /// The folder on this machine's disk; nil where there is none.
    var root: String? {
        switch self {
        case .perJob(let root): root
        case .shared(let folder): folder
        case .objects: nil
        }
    }

    /// Where one job's files go.
    public func place(of job: JobID) -> any ArtifactPlace {
        switch self {
        case .perJob(let root): ArtifactFolder(root: root, subfolder: job.rawValue)
        case .shared(let folder): ArtifactFolder(root: folder)
        case .objects(let objects): objects.below(job.rawValue)
        }
    }

    /// A finished file of a job.
    /// - Parameter threads: for reading from a disk.
    /// - Throws: `.notFound` where there is no such file.
    func open(_ name: String, of job: JobID, _ threads: ThreadPool) async throws -> any ArtifactReader {
        if case .objects(let objects) = self { return try await objects.below(job.rawValue).open(name) }
        let path = try place(of: job).path(of: name)
        return LocalArtifact(file: try await threads.run { try FileByteSource(path: path) }, threads: threads)
    }
}

/// A file of an artifact on this machine's disk.
private struct LocalArtifact: ArtifactReader {
    let file: FileByteSource
    let threads: ThreadPool

    var size: UInt64 { file.size }
    var pieceBytes: UInt64 { 1 << 20 }

    func bytes(_ range: Range<UInt64>) async throws -> [UInt8] {
        try await threads.run { try file.bytes(at: range.lowerBound, count: range.count) }
    }
}
