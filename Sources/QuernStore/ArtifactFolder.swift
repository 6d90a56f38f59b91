import Glibc
import QuernFormats
import Synchronization

/// A folder where finished artifacts land. A file is written under another name, `FILE.partial-<mark>`, and gets its
/// own only when it is whole, so that whoever sees `FILE` sees all of it.
public struct ArtifactFolder: Sendable, Equatable {
    public let path: String

    /// - Parameter subfolder: one folder name below `root`, such as a job's id; nil for `root` itself. The folder is
    ///   made when something is first written to it.
    public init(root: String, subfolder: String? = nil) {
        path = subfolder.map { "\(root)/\($0)" } ?? root
    }

    /// Where a file of the artifacts lies.
    /// - Parameter name: a relative path that stays in the folder.
    /// - Throws: `.invalidInput` for any other name.
    public func path(of name: String) throws -> String {
        let components = name.split(separator: "/", omittingEmptySubsequences: false)
        let fits = components.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.count <= 200 }
        guard !name.isEmpty, fits, !name.utf8.contains(0) else {
            throw QuernError(
                .invalidInput, "'\(name)' is no file name within the output folder", at: path,
                remedy: "Use a plain name without '..' or a leading '/'")
        }
        return "\(path)/\(name)"
    }

    /// Begins a file of exactly `size` bytes, all of which are reserved on the disk now and read as zero until
    /// written.
    /// - Parameter mark: 16 hexadecimal digits under which a file that was begun before is found again, as it was left;
    ///   nil for a file that goes when it is dropped unfinished.
    /// - Throws: `.outOfSpace` where the disk cannot hold it, `.invalidInput` for a name that leaves the folder.
    public func begin(_ name: String, size: UInt64, mark: String? = nil) throws -> ArtifactFile {
        let destination = try path(of: name)
        guard let slash = destination.lastIndex(of: "/") else {
            throw QuernError(.invalidInput, "no folder in '\(destination)'")
        }
        let folder = String(destination[..<slash])
        try FileSystem.makeFolder(folder)
        return try ArtifactFile(destination: destination, folder: folder, size: size, mark: mark)
    }

    /// Stores a small file whole.
    /// - Throws: as `begin`, or `.io`.
    public func write(_ bytes: [UInt8], as name: String) throws {
        let file = try begin(name, size: UInt64(bytes.count))
        try bytes.withUnsafeBytes { try file.write(at: 0, $0) }
        try file.sync()
        try file.publish()
    }

    /// Space on the disk that holds the folder, or will hold it.
    public func diskUsage() throws -> DiskUsage {
        try FileSystem.makeFolder(path)
        return try DiskUsage(of: path)
    }

    /// Removes partial files that nobody has written to for `age` seconds: what dead processes left. A living one
    /// may take hours to read a large file again after its last write.
    public func removePartials(olderThan age: Int = 24 * 3600) {
        for (file, _) in partials {
            if let seconds = FileSystem.age(of: file), seconds >= age { FileSystem.remove(file) }
        }
    }

    /// Removes the partial files of one owner; see `OpenArtifacts`.
    public func removePartials(owner: String) {
        let mark = OpenArtifacts.mark(of: owner)
        for partial in partials where partial.mark == mark { FileSystem.remove(partial.file) }
    }

    /// Removes the partial files of some files, whoever began them.
    public func removePartials(of names: [String]) {
        for (file, _) in partials where names.contains(where: { file.hasPrefix("\(path)/\($0).partial-") }) {
            FileSystem.remove(file)
        }
    }

    private var partials: [(file: String, mark: Substring)] {
        let own = FileSystem.names(in: path)
        // Artifacts of several files lie in folders of their own; other entries have nothing in them.
        let names = own + own.flatMap { folder in FileSystem.names(in: "\(path)/\(folder)").map { "\(folder)/\($0)" } }
        return names.compactMap { name in
            guard let range = name.range(of: ".partial-"), name[range.upperBound...].utf8.count == 16 else {
                return nil
            }
            return ("\(path)/\(name)", name[range.upperBound...])
        }
    }
}

/// A file of an artifact while it is written. Dropped before `publish` it leaves nothing, unless it was begun under a
/// mark. All calls block; several threads may read and write at once.
public final class ArtifactFile: Sendable {
    /// The name it gets in the end.
    public let destination: String
    public let size: UInt64
    private let folder: String
    private let temporary: String
    private let file: FileDescriptor
    /// Whether the file stays when it is dropped.
    private let stays: Mutex<Bool>

    fileprivate init(destination: String, folder: String, size: UInt64, mark: String?) throws {
        self.destination = destination
        self.folder = folder
        self.size = size
        temporary = "\(destination).partial-\(mark ?? FileSystem.uniqueSuffix())"
        file = try FileDescriptor(path: temporary, flags: O_RDWR | O_CREAT | (mark == nil ? O_EXCL : 0))
        stays = Mutex(mark != nil)
        let isNew = try mark == nil || file.status().st_size != off_t(size)
        guard isNew else { return }
        do {
            let free = try DiskUsage(of: folder).freeBytes
            guard free >= size else {
                throw QuernError(
                    .outOfSpace, "needs \(size) bytes, and the disk has \(free) left", at: destination,
                    remedy: "Free some space and go on")
            }
            try file.reserve(size)
        } catch {
            FileSystem.remove(temporary)
            throw error
        }
    }

    deinit {
        if !stays.withLock({ $0 }) { FileSystem.remove(temporary) }
    }

    /// - Throws: `.invalidInput` where the bytes would lie beyond `size`, `.outOfSpace`, `.io`.
    public func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws {
        guard offset <= size, UInt64(bytes.count) <= size - offset else {
            throw QuernError(
                .invalidInput, "\(bytes.count) bytes at offset \(offset) lie beyond the planned \(size)",
                at: destination)
        }
        try file.write(at: offset, bytes)
    }

    /// - Throws: `.io` where reading fails or the file ends early.
    public func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard try file.read(at: offset, into: buffer) == buffer.count else {
            throw QuernError(.io, "ends early, at offset \(offset)", at: temporary)
        }
    }

    /// Returns when everything written would survive a crash of the machine.
    public func sync() throws { try file.sync() }

    /// Gives the file its name, in the place of any that had it, and returns when that would survive a crash. To be
    /// called after `sync`.
    public func publish() throws {
        try FileSystem.move(temporary, to: destination)
        stays.withLock { $0 = true }
        try FileDescriptor.syncFolder(folder)
    }
}
