import Glibc
import QuernFormats

extension FolderBlobStore: CollectableBlobStore {
    /// Both forms of it, for a blob may have been stored twice.
    public func remove(_ digest: Digest) async throws {
        try await pool.run {
            for compressed in [true, false] {
                let path = path(of: digest, compressed: compressed)
                guard unlink(path) != 0, errno != ENOENT else { continue }
                throw QuernError(
                    .io, "cannot remove a blob that is not needed any more: \(String(cString: strerror(errno)))",
                    at: path)
            }
        }
    }

    public func digests(beginningWith first: UInt8, olderThan age: Duration) async throws -> [Digest] {
        try await pool.run {
            let shard = "\(root)/sha256/\(Digest.hex(first))"
            return FileSystem.names(in: shard).flatMap { leaf in
                FileSystem.names(in: "\(shard)/\(leaf)").compactMap { name in
                    let stem = name.hasSuffix(".zst") ? name.dropLast(4) : name[...]
                    guard let digest = Digest(hex: stem),
                        let found = FileSystem.age(of: "\(shard)/\(leaf)/\(name)"),
                        found >= age.components.seconds
                    else { return nil }
                    return digest
                }
            }
        }
    }
}
