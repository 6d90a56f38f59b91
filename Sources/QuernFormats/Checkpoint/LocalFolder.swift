import Foundation

/// A folder whose files are taken only where they really lie in it: what a download left there may be hostile.
struct LocalFolder: CheckpointFolder {
    /// As given.
    let path: String
    /// Without symbolic links.
    private let resolved: String

    /// - Throws: `QuernError` `.notFound` where there is no such folder, `.invalidInput` where it is a file.
    init(path: String) throws {
        guard let resolved = RealPath.of(path) else {
            throw QuernError(.notFound, "there is no such folder", at: path, remedy: "Check the path")
        }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: resolved, isDirectory: &isFolder), isFolder.boolValue else {
            throw QuernError(.invalidInput, "not a folder", at: path)
        }
        self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        self.resolved = resolved
    }

    /// The name of the checkpoint: of the folder, or of the repository where the folder is a snapshot in a Hugging
    /// Face cache (`models--ORGANIZATION--NAME/snapshots/REVISION`).
    var name: String {
        if let cache = cacheRoot {
            return String((cache as NSString).lastPathComponent.components(separatedBy: "--").last ?? "")
        }
        return (resolved as NSString).lastPathComponent
    }

    /// The `models--…` folder of a Hugging Face cache this is a snapshot of. Its snapshots are symbolic links into its
    /// `blobs`.
    private var cacheRoot: String? {
        let snapshots = (resolved as NSString).deletingLastPathComponent as NSString
        let root = snapshots.deletingLastPathComponent as NSString
        return snapshots.lastPathComponent == "snapshots" && root.lastPathComponent.hasPrefix("models--")
            ? root as String : nil
    }

    /// Names of all entries, in the order of their bytes.
    func names() throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: resolved)
                .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        } catch {
            throw QuernError(.io, "cannot list the folder: \(error.localizedDescription)", at: path)
        }
    }

    /// - Throws: `QuernError` `.invalidInput` for a name with a path in it, for what is no regular file, and for a
    ///   symbolic link that leads out of the folder (of the cache, for a snapshot in a Hugging Face cache).
    func open(_ fileName: String) throws -> (any CheckpointFile)? {
        try checkName(fileName)
        let entry = "\(path)/\(fileName)"
        var status = stat()
        guard lstat(entry, &status) == 0 else {
            if errno == ENOENT { return nil }
            throw QuernError(.io, "cannot look at it: \(String(cString: strerror(errno)))", at: entry)
        }
        if status.st_mode & S_IFMT == S_IFLNK {
            guard let target = RealPath.of(entry) else {
                throw QuernError(.notFound, "a symbolic link to a file that does not exist", at: entry)
            }
            guard target.hasPrefix(resolved + "/") || cacheRoot.map({ target.hasPrefix($0 + "/") }) == true else {
                throw QuernError(
                    .invalidInput, "a symbolic link that leads out of the folder", at: entry,
                    remedy: "Put the file itself there")
            }
        }
        return try FileByteSource(path: entry)
    }
}
