import Foundation

/// A folder whose files are taken only where they really lie in it: what a download left there may be hostile.
package struct CheckpointFolder: Sendable {
    /// As given.
    package let path: String
    /// Without symbolic links.
    private let resolved: String

    /// Bytes of a text file that is read as a whole.
    static let maximumTextBytes: UInt64 = 256 << 20

    /// - Throws: `QuernError` `.notFound` where there is no such folder, `.invalidInput` where it is a file.
    package init(path: String) throws {
        guard let resolved = Self.resolve(path) else {
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

    /// Opens a file of this folder.
    /// - Parameter fileName: must be a plain name; anything that could lead elsewhere is refused.
    /// - Returns: nil where there is no such entry.
    /// - Throws: `QuernError` `.invalidInput` for a name with a path in it, for what is no regular file, and for a
    ///   symbolic link that leads out of the folder (of the cache, for a snapshot in a Hugging Face cache).
    func open(_ fileName: String) throws -> FileByteSource? {
        guard Self.isBaseName(fileName) else {
            throw QuernError(
                .invalidInput, "the file name \(fileName.quotedForMessage) is not a plain name in this folder",
                at: path,
                remedy: "Do not trust this checkpoint; fetch it from where it was published")
        }
        let entry = "\(path)/\(fileName)"
        var status = stat()
        guard lstat(entry, &status) == 0 else {
            if errno == ENOENT { return nil }
            throw QuernError(.io, "cannot look at it: \(String(cString: strerror(errno)))", at: entry)
        }
        if status.st_mode & S_IFMT == S_IFLNK {
            guard let target = Self.resolve(entry) else {
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

    /// The bytes of a file that is small enough to be held; nil where there is none.
    package func bytes(_ fileName: String) throws -> [UInt8]? {
        guard let file = try open(fileName) else { return nil }
        guard file.size <= Self.maximumTextBytes else {
            throw QuernError(
                .invalidInput, "\(file.size) bytes, at most \(Self.maximumTextBytes) are read of such a file",
                at: file.name)
        }
        return try file.bytes(at: 0, count: Int(file.size))
    }

    package func json(_ fileName: String) throws -> JSONObject? {
        guard let bytes = try bytes(fileName) else { return nil }
        do {
            let value = try JSONValue.parse(bytes)
            guard let object = value.object else {
                throw QuernError(.invalidInput, "holds \(value.kind), an object should be there")
            }
            return object
        } catch let error as QuernError {
            throw error.located(in: "\(path)/\(fileName)")
        }
    }

    private static func isBaseName(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(UInt8(ascii: "/")) && !name.utf8.contains(0)
    }

    private static func resolve(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
