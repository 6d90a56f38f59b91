import Foundation
import Synchronization

/// Where checkpoints lie: in files of this machine, by path, or wherever a `RemoteReader` reaches, by URL.
public enum SourcePlace {
    private static let reader = Mutex<(any RemoteReader)?>(nil)

    /// Lets URLs be read; to be called when the program starts. Without it there are only files.
    public static func use(_ remote: any RemoteReader) { reader.withLock { $0 = remote } }

    /// Whether the text is meant as a URL, right or wrong.
    public static func isURL(_ place: String) -> Bool {
        guard let mark = place.firstRange(of: "://") else { return false }
        return mark.lowerBound > place.startIndex
            && place[..<mark.lowerBound].utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            }
    }

    /// - Throws: `.unsupported` where this program reads no URLs.
    private static func remote(_ url: String) throws -> any RemoteReader {
        guard let reader = reader.withLock({ $0 }) else {
            throw QuernError(.unsupported, "this program reads no URLs", at: url, remedy: "Give a path")
        }
        return reader
    }

    /// As `RemoteReader.pinned`; paths as they are.
    public static func pinned(_ place: String) throws -> String {
        isURL(place) ? try remote(place).pinned(place) : place
    }

    /// Paths from the root on; URLs as they are.
    public static func absolute(_ place: String) -> String {
        isURL(place) ? place : URL(fileURLWithPath: place).standardizedFileURL.path
    }

    /// Whether `pinned` may once have been made of `place`.
    public static func isPinned(_ pinned: String, of place: String) -> Bool {
        guard isURL(place), let reader = try? remote(place) else { return pinned == place }
        return reader.isPinned(pinned, of: place)
    }

    /// The last part of a path, without the folder; of a URL what `RemoteReader.name` says.
    public static func name(of place: String) -> String {
        if isURL(place), let reader = try? remote(place) { return reader.name(of: place) }
        return place.split(separator: "/").last.map(String.init) ?? place
    }

    /// As a manifest names it.
    public static func manifestName(of place: String) -> String {
        if isURL(place), let reader = try? remote(place) { return reader.manifestName(of: place) }
        return place.split(separator: "/").last.map(String.init) ?? place
    }

    /// Nil for paths.
    public static func host(of place: String) throws -> RemoteHost? {
        isURL(place) ? try remote(place).host(of: place) : nil
    }

    /// Whether a checkpoint folder stands there, and not a single file.
    /// - Throws: `.notFound` where there is nothing.
    public static func isFolder(_ place: String) throws -> Bool {
        if isURL(place) { return try remote(place).isFolder(place) }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: place, isDirectory: &isFolder) else {
            throw QuernError(.notFound, "there is no such file or folder", at: place, remedy: "Check the path")
        }
        return isFolder.boolValue
    }

    /// - Throws: `.notFound` where there is no such folder, `.invalidInput` where it is a file.
    public static func folder(_ place: String) throws -> any CheckpointFolder {
        isURL(place) ? try remote(place).folder(place) : try LocalFolder(path: place)
    }

    /// - Throws: `.notFound` where there is no such file.
    public static func file(_ place: String) throws -> any CheckpointFile {
        isURL(place) ? try remote(place).file(place) : try FileByteSource(path: place)
    }

    /// The file that was found before.
    /// - Throws: `.conflict` where it has changed since; of a URL, reading does.
    public static func file(
        _ place: String, size: UInt64, modified: Int64, version: String?
    ) throws -> any CheckpointFile {
        if isURL(place) {
            guard let version else {
                throw QuernError(.invalidInput, "no version of the file is named", at: place)
            }
            return try remote(place).file(place, size: size, version: version)
        }
        let file = try FileByteSource(path: place)
        guard file.size == size, file.modified == modified, version == nil else {
            throw QuernError(
                .conflict, "the source file has changed since the job was planned", at: place,
                remedy: "Submit the job again for the new content")
        }
        return file
    }

    /// Another file beside one.
    static func sibling(of place: String, named name: String) -> String {
        let query = isURL(place) ? place.firstIndex(of: "?") ?? place.endIndex : place.endIndex
        let path = place[..<query]
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        return (slash.map { String(path[...$0]) } ?? "") + name + place[query...]
    }
}
