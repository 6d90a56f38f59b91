import Glibc
import QuernFormats
import Synchronization

/// Blobs in a folder, safe against crashes and against any number of processes at once.
///
/// A blob lies at `sha256/ab/cd/<hex>` as it is, or at `sha256/ab/cd/<hex>.zst` as a run of Zstandard frames where
/// these are at least 3 % smaller; standard tools read both. It comes to be by a temporary file in `tmp/`, an fsync,
/// a rename and an fsync of the folder, so a name always stands for a whole blob. A blob found damaged is moved to
/// `damaged/`, so that storing it again heals it.
public struct FolderBlobStore: Sendable {
    /// What an acknowledged blob survives.
    public enum Durability: Sendable {
        /// A crash of the machine.
        case machine
        /// A crash of the process. After one of the machine a blob may be missing or damaged, which reading it
        /// finds out. Enough where lost blobs are simply made again.
        case process
    }

    public let root: String
    let compress: Bool
    let durability: Durability
    let pool: ThreadPool
    private let folders = KnownFolders()

    private final class KnownFolders: Sendable {
        let synced = Mutex<Set<String>>([])
    }

    /// Opens the store, making the folder where it is missing.
    /// - Parameters:
    ///   - compress: whether to store as Zstandard what shrinks by 3 % or more.
    ///   - staleAfter: age in seconds from which the temporary file of a process that died is removed.
    /// - Throws: `.io` or `.outOfSpace`.
    public init(
        root: String, compress: Bool = true, durability: Durability = .machine, staleAfter: Int = 24 * 3600
    ) throws {
        self.root = root
        self.compress = compress
        self.durability = durability
        pool = ThreadPool(name: "blobs", threads: 4)
        for folder in ["tmp", "sha256", "damaged"] { try FileSystem.makeFolder("\(root)/\(folder)") }
        for name in FileSystem.names(in: "\(root)/tmp") {
            let path = "\(root)/tmp/\(name)"
            if let age = FileSystem.age(of: path), age >= staleAfter { FileSystem.remove(path) }
        }
        if durability == .machine { try FileDescriptor.syncFolder(root) }
    }

    /// Space on the disk that holds the store.
    public func diskUsage() throws -> DiskUsage { try DiskUsage(of: root) }

    /// Where the blob lies; the plain form is preferred.
    /// - Returns: nil where the store does not have it.
    func locate(_ digest: Digest) -> (path: String, compressed: Bool)? {
        let plain = path(of: digest, compressed: false)
        if access(plain, F_OK) == 0 { return (plain, false) }
        let frames = path(of: digest, compressed: true)
        return access(frames, F_OK) == 0 ? (frames, true) : nil
    }

    func path(of digest: Digest, compressed: Bool) -> String {
        let hex = digest.hex
        return "\(folder(of: hex))/\(hex)\(compressed ? ".zst" : "")"
    }

    private func folder(of hex: String) -> String {
        "\(root)/sha256/\(hex.prefix(2))/\(hex.dropFirst(2).prefix(2))"
    }
}

extension FolderBlobStore: StreamingBlobStore {
    public func makeWriter() throws -> BlobWriter {
        try BlobWriter(temporary: "\(root)/tmp/\(FileSystem.uniqueSuffix())", compress: compress)
    }

    public func commit(_ writers: [BlobWriter]) throws {
        let names = try writers.map { try $0.finish().digest }
        if durability == .machine { for writer in writers { try writer.sync() } }
        var dirty: Set<String> = []
        for (writer, digest) in zip(writers, names) {
            let leaf = folder(of: digest.hex)
            try makeFolder(leaf, dirty: &dirty)
            // Over a blob that is there already, too: same content, and it heals one that was damaged unnoticed.
            try FileSystem.move(writer.temporary, to: path(of: digest, compressed: writer.isCompressed))
            dirty.insert(leaf)
        }
        guard durability == .machine else { return }
        // Longest first: a folder's content before its name in the folder above.
        for folder in dirty.sorted(by: { $0.utf8.count > $1.utf8.count }) { try FileDescriptor.syncFolder(folder) }
        folders.synced.withLock { $0.formUnion(dirty) }
    }

    /// Makes the leaf folder. Whoever made it may not have synced it yet, so what this process has not synced before
    /// is dirty, whether new or not.
    private func makeFolder(_ leaf: String, dirty: inout Set<String>) throws {
        try FileSystem.makeFolder(leaf)
        guard !folders.synced.withLock({ $0.contains(leaf) }) else { return }
        guard let slash = leaf.lastIndex(of: "/") else { return }
        dirty.insert(String(leaf[..<slash]))
        dirty.insert("\(root)/sha256")
    }

    /// Stores `bytes`, blocking; see `put`.
    @discardableResult
    public func store(_ bytes: UnsafeRawBufferPointer) throws -> Digest {
        let digest = Digest(of: bytes)
        if try holds(digest, bytes: bytes.count) { return digest }
        let writer = try makeWriter()
        try writer.append(bytes)
        try commit([writer])
        return digest
    }

    /// Whether the blob is here in its full length. A plain file of another length is not it.
    private func holds(_ digest: Digest, bytes: Int) throws -> Bool {
        guard let place = locate(digest) else { return false }
        guard !place.compressed else { return true }
        var status = stat()
        return stat(place.path, &status) == 0 && Int(status.st_size) == bytes
    }
}

extension FolderBlobStore: BlobStore {
    public func contains(_ digest: Digest) async throws -> Bool {
        try await pool.run { locate(digest) != nil }
    }

    @discardableResult
    public func put(_ bytes: [UInt8]) async throws -> Digest {
        try await pool.run { try bytes.withUnsafeBytes { try store($0) } }
    }

    public func get(_ digest: Digest) async throws -> [UInt8] {
        try await pool.run { try load(digest) }
    }
}
