import Foundation
import QuernFormats

/// What a signature says of a folder: its files and their sha256. An in-toto statement, version 1, with the predicate
/// `https://model_signing/signature/v1.0` of OpenSSF model signing.
public struct SignedFiles: Sendable, Equatable {
    public struct File: Sendable, Equatable {
        /// Relative to the folder, components separated by `/`.
        public let name: String
        public let sha256: Digest

        public init(name: String, sha256: Digest) {
            self.name = name
            self.sha256 = sha256
        }
    }

    private static let statement = "https://in-toto.io/Statement/v1"
    private static let predicate = "https://model_signing/signature/v1.0"
    private static let limits = JSONLimits(bytes: 64 << 20, depth: 16, values: 4 << 20)

    /// What the folder was called; of no meaning to a check.
    public let folder: String
    /// In the order of the statement.
    public let files: [File]
    /// Files and folders, relative, that are not part of what was signed.
    public let ignored: [String]
    public let allowsSymbolicLinks: Bool

    /// - Parameter files: in any order.
    public init(folder: String, files: [File], ignored: [String]) {
        self.folder = folder
        // Names are ordered component by component, as everyone who signs does it.
        self.files = files.sorted { Self.components($0.name).lexicographicallyPrecedes(Self.components($1.name)) }
        self.ignored = ignored
        allowsSymbolicLinks = false
    }

    private static func components(_ name: String) -> [Component] {
        name.utf8.split(separator: UInt8(ascii: "/")).map { Component(bytes: Array($0)) }
    }

    private struct Component: Comparable {
        let bytes: [UInt8]
        static func < (left: Component, right: Component) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }
    }

    /// The sha256 of all digests one after the other: what names the folder as a whole.
    var root: Digest {
        var hasher = SHA256Hasher()
        for file in files { hasher.update(file.sha256.bytes) }
        return hasher.finish()
    }

    /// - Throws: `.invalidInput` where the statement contradicts itself or breaks its format, `.unsupported` for
    ///   predicates and hashes that are not read here.
    public init(statement json: [UInt8]) throws {
        let statement = try JSONMembers(.parse(json, limits: Self.limits), of: "the signed statement")
        try statement.require(Self.statement, "_type")
        let type = try statement.string("predicateType")
        guard type == Self.predicate else {
            throw QuernError(
                .unsupported, "the predicate '\(type)' is no signature of a model, version 1.0", at: "predicateType",
                remedy: "Sign again with model_signing 1.0 or later, or with quern sign")
        }
        let subjects = try statement.array("subject")
        guard subjects.count == 1 else {
            throw QuernError(.invalidInput, "\(subjects.count) subjects in place of one", at: "subject")
        }
        let subject = try JSONMembers(subjects[0], of: "subject")
        folder = try subject.string("name")
        let predicate = try statement.members("predicate")
        let method = try predicate.members("serialization")
        let (kind, hash) = (try method.string("method"), try method.string("hash_type"))
        guard kind == "files", hash == "sha256" else {
            throw QuernError(
                .unsupported, "\(hash) of \(kind) is not read here", at: "serialization",
                remedy: "Sign again by files and sha256, or verify with model_signing")
        }
        allowsSymbolicLinks = try method.bool("allow_symlinks")
        ignored = try method.has("ignore_paths") ? method.array("ignore_paths").map(Self.text) : []
        var seen: Set<[UInt8]> = []
        files = try predicate.array("resources").map { value in
            let resource = try JSONMembers(value, of: "resources")
            try resource.require("sha256", "algorithm")
            let name = try resource.string("name")
            guard seen.insert(Array(name.utf8)).inserted else {
                throw QuernError(.invalidInput, "'\(name)' stands there twice", at: "resources")
            }
            return File(name: name, sha256: try resource.digest("digest"))
        }
        guard try subject.members("digest").digest("sha256") == root else {
            throw QuernError(.invalidInput, "the subject's digest is not that of the files", at: "subject")
        }
    }

    private static func text(_ value: JSONValue) throws -> String {
        guard let text = value.string else {
            throw QuernError(.invalidInput, "\(value.kind) in place of a string", at: "ignore_paths")
        }
        return text
    }

    /// The statement as JSON.
    public func statement() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return [UInt8](
            try encoder.encode(
                Written(
                    subject: [.init(name: folder, digest: ["sha256": root])],
                    predicate: .init(
                        serialization: .init(allow_symlinks: allowsSymbolicLinks, ignore_paths: ignored),
                        resources: files.map { .init(name: $0.name, digest: $0.sha256) }))))
    }

    /// Signs the statement.
    public func signed(with key: SigningKey) throws -> SigstoreBundle {
        try SigstoreBundle(signing: try statement(), with: key)
    }

    private struct Written: Encodable {
        struct Subject: Encodable {
            let name: String
            let digest: [String: Digest]
        }
        struct Predicate: Encodable {
            struct Serialization: Encodable {
                let method = "files"
                let hash_type = "sha256"
                let allow_symlinks: Bool
                let ignore_paths: [String]
            }
            struct Resource: Encodable {
                let name: String
                let algorithm = "sha256"
                let digest: Digest
            }
            let serialization: Serialization
            let resources: [Resource]
        }
        let _type = SignedFiles.statement
        let subject: [Subject]
        let predicateType = SignedFiles.predicate
        let predicate: Predicate
    }
}
