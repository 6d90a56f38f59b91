import Glibc
import QuernFormats

/// What lies in a folder and below it.
public struct FolderContents: Sendable {
    public enum Kind: Sendable { case file, symbolicLink, other }

    public struct Entry: Sendable {
        /// Relative to the folder, components separated by `/`.
        public let name: String
        public let kind: Kind
    }

    /// Everything but folders, in no order.
    public private(set) var entries: [Entry] = []

    /// - Parameters:
    ///   - ignored: relative names of files, and of folders that are left out with all that is in them.
    ///   - followsLinks: whether a symbolic link to a file counts as the file. Links to folders are never gone into.
    /// - Throws: `.notFound`, `.io`, `.invalidInput` where `path` is no folder.
    public init(of path: String, ignored: [String], followsLinks: Bool) throws {
        let ignored = Set(ignored.map { Array($0.utf8) })
        var folders = [""]
        while let folder = folders.popLast() {
            for name in try Self.names(in: folder.isEmpty ? path : "\(path)/\(folder)") {
                let name = folder.isEmpty ? name : "\(folder)/\(name)"
                guard !ignored.contains(Array(name.utf8)) else { continue }
                var status = stat()
                guard lstat("\(path)/\(name)", &status) == 0 else {
                    guard errno == ENOENT else {
                        throw QuernError.system("cannot examine", errno, at: "\(path)/\(name)")
                    }
                    // Its name is no UTF-8, or it went a moment ago.
                    entries.append(Entry(name: name, kind: .other))
                    continue
                }
                if status.st_mode & S_IFMT == S_IFLNK {
                    var target = stat()
                    let isFile = stat("\(path)/\(name)", &target) == 0 && target.st_mode & S_IFMT == S_IFREG
                    entries.append(Entry(name: name, kind: followsLinks && isFile ? .file : .symbolicLink))
                } else if status.st_mode & S_IFMT == S_IFDIR {
                    folders.append(name)
                } else {
                    entries.append(Entry(name: name, kind: status.st_mode & S_IFMT == S_IFREG ? .file : .other))
                }
            }
        }
    }

    private static func names(in path: String) throws -> [String] {
        guard let stream = opendir(path) else { throw QuernError.system("cannot list the folder", errno, at: path) }
        closedir(stream)
        return FileSystem.names(in: path)
    }
}

extension FileSystem {
    /// Whether two paths lead to one file. False where one leads nowhere.
    package static func areSame(_ first: String, _ second: String) -> Bool {
        var (one, other) = (stat(), stat())
        guard lstat(first, &one) == 0, lstat(second, &other) == 0 else { return false }
        return one.st_dev == other.st_dev && one.st_ino == other.st_ino
    }

    /// The absolute path of a file that may not be there yet, without symbolic links among its folders; nil where its
    /// folder is not there.
    package static func resolved(folderOf file: String) -> String? {
        guard let slash = file.lastIndex(of: "/") else { return RealPath.of(".").map { "\($0)/\(file)" } }
        let folder = slash == file.startIndex ? "/" : String(file[..<slash])
        return RealPath.of(folder).map { "\($0)/\(file[file.index(after: slash)...])" }
    }
}
