import Foundation
import QuernFormats

/// `hf://ORGANIZATION/NAME[@REVISION][/PATH]`: a model on the Hugging Face Hub, a folder of it, or a single file.
package struct HubURL: Sendable, Equatable {
    /// `ORGANIZATION/NAME`.
    package let repository: String
    /// A branch, a tag, a commit or `refs/pr/N`.
    package let revision: String
    /// Within the repository; empty for all of it.
    package let path: String

    private static let usualRevision = "main"

    /// Whether the text is meant to be one.
    package static func isMeant(by text: String) -> Bool { text.lowercased().hasPrefix("hf://") }

    private init(repository: String, revision: String, path: String) {
        self.repository = repository
        self.revision = revision
        self.path = path
    }

    /// - Throws: `.usage` with what is wrong.
    package init(_ text: String) throws(QuernError) {
        func wrong(_ message: String) -> QuernError {
            QuernError(
                .usage, message, at: text,
                remedy: "Give it as hf://ORGANIZATION/NAME, hf://ORGANIZATION/NAME@REVISION or with a file behind that")
        }
        guard Self.isMeant(by: text) else { throw wrong("it does not begin with hf://") }
        var parts = text.dropFirst("hf://".count).split(separator: "/", omittingEmptySubsequences: false)
            .map(String.init)
        if parts.last == "" { parts.removeLast() }
        guard parts.count >= 2 else { throw wrong("it names no model") }
        guard !["datasets", "spaces"].contains(parts[0]) else { throw wrong("only models can be quantized") }
        let named = parts[1].split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard Self.isName(parts[0]), Self.isName(named[0]) else {
            throw wrong("'\(parts[0])/\(named[0])' cannot be the name of a model")
        }
        var rest = Array(parts[2...])
        var revision = Self.usualRevision
        if named.count == 2 {
            guard let decoded = named[1].removingPercentEncoding else { throw wrong("'\(named[1])' is no revision") }
            revision = decoded
            // The only revisions with slashes that are written plainly.
            if revision == "refs", rest.count >= 2, ["pr", "convert"].contains(rest[0]) {
                revision += "/\(rest[0])/\(rest[1])"
                rest.removeFirst(2)
            }
        }
        guard !revision.isEmpty, revision.utf8.count <= 255, revision.utf8.allSatisfy({ $0 > 32 && $0 != 127 }),
            !revision.split(separator: "/", omittingEmptySubsequences: false).contains(where: Self.isDots)
        else { throw wrong("'\(revision)' is no revision") }
        guard !rest.contains(where: { Self.isDots($0) || $0.utf8.contains(0) }) else {
            throw wrong("a path has no empty parts, and none called . or ..")
        }
        self.init(repository: "\(parts[0])/\(named[0])", revision: revision, path: rest.joined(separator: "/"))
    }

    /// Whether the revision is a commit, which never moves.
    package var isPinned: Bool {
        revision.utf8.count == 40 && revision.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    package func at(commit: String) -> HubURL { HubURL(repository: repository, revision: commit, path: path) }

    /// The folder that a path lies in, and its name there.
    package var parent: (folder: HubURL, name: String) {
        let parts = path.split(separator: "/")
        let folder = parts.dropLast().joined(separator: "/")
        return (HubURL(repository: repository, revision: revision, path: folder), parts.last.map(String.init) ?? "")
    }

    package func appending(_ name: String) -> HubURL {
        HubURL(repository: repository, revision: revision, path: path.isEmpty ? name : "\(path)/\(name)")
    }

    /// Of the file or folder; of the model where it is the whole of it.
    package var name: String {
        String((path.isEmpty ? repository : path).split(separator: "/").last ?? "")
    }

    package var text: String { "hf://\(repository)@\(pathSegment(revision))\(path.isEmpty ? "" : "/\(path)")" }

    /// Percent-encoded, for URLs of the hub.
    var encodedRepository: String { Self.encoded(repository) }
    var encodedRevision: String { pathSegment(revision) }
    var encodedPath: String { Self.encoded(path) }

    private static func encoded(_ path: String) -> String {
        path.split(separator: "/").map { pathSegment(String($0)) }.joined(separator: "/")
    }

    private static func isDots(_ part: some StringProtocol) -> Bool { part.isEmpty || part == "." || part == ".." }

    /// By the hub's rules: letters, digits, and -, _ and . between them.
    private static func isName(_ name: String) -> Bool {
        let isLetter: (UInt8) -> Bool = {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == UInt8(ascii: "_")
        }
        guard (1...96).contains(name.utf8.count), let first = name.utf8.first, let last = name.utf8.last else {
            return false
        }
        return isLetter(first) && isLetter(last) && !name.contains("..")
            && name.utf8.allSatisfy { isLetter($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
    }
}
