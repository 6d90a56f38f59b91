/// The files of a checkpoint side by side: a folder, or what stands for one elsewhere.
public protocol CheckpointFolder: Sendable {
    /// Of the checkpoint.
    var name: String { get }
    /// For messages, without a slash at the end.
    var path: String { get }
    /// Names of all entries, in the order of their bytes.
    func names() throws -> [String]
    /// Opens a file of this folder.
    /// - Parameter fileName: must be a plain name; anything that could lead elsewhere is refused.
    /// - Returns: nil where there is no such entry.
    /// - Throws: `QuernError` `.invalidInput` for a name with a path in it, and for what is no file of the folder.
    func open(_ fileName: String) throws -> (any CheckpointFile)?
}

extension CheckpointFolder {
    /// The bytes of a file that is small enough to be held; nil where there is none.
    /// - Throws: `QuernError` `.invalidInput` above 256 MiB; what opening throws.
    package func bytes(_ fileName: String) throws -> [UInt8]? {
        guard let file = try open(fileName) else { return nil }
        let most: UInt64 = 256 << 20
        guard file.size <= most else {
            throw QuernError(
                .invalidInput, "\(file.size) bytes, at most \(most) are read of such a file", at: file.name)
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

    /// - Throws: `QuernError` `.invalidInput` for a name that could lead out of the folder.
    package func checkName(_ name: String) throws {
        let isPlain =
            !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(UInt8(ascii: "/"))
            && !name.utf8.contains(0)
        guard isPlain else {
            throw QuernError(
                .invalidInput, "the file name \(name.quotedForMessage) is not a plain name in this folder", at: path,
                remedy: "Do not trust this checkpoint; fetch it from where it was published")
        }
    }
}
