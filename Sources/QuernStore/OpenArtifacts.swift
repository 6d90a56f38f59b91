import QuernFormats
import Synchronization

/// The artifact files of a job, open for many threads that write each part at its place. A file is begun when it is
/// first asked for; what is not published stays, and is found again by the next process.
public final class OpenArtifacts: Sendable {
    private let folder: ArtifactFolder
    private let mark: String
    private let files = Mutex<[String: ArtifactFile]>([:])

    /// - Parameter owner: names the job; another owner's files are others.
    public init(folder: ArtifactFolder, owner: String) {
        self.folder = folder
        mark = Self.mark(of: owner)
    }

    /// The file, begun or gone on with.
    /// - Throws: as `ArtifactFolder.begin`.
    public func file(_ name: String, size: UInt64) throws -> ArtifactFile {
        try files.withLock { files in
            if let file = files[name] { return file }
            let file = try folder.begin(name, size: size, mark: mark)
            files[name] = file
            return file
        }
    }

    /// Gives the file its name; see `ArtifactFile.publish`.
    public func publish(_ name: String) throws {
        try files.withLock { files in
            try files[name]?.publish()
            files[name] = nil
        }
    }

    /// The mark of an owner's partial files.
    static func mark(of owner: String) -> String {
        String(Digest(of: Array(owner.utf8)).hex.prefix(16))
    }
}
