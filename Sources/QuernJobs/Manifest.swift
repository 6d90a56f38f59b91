import Foundation
import QuernFormats
import QuernStore

/// `manifest.json`: what an output folder holds and what it was made from. It depends on nothing but source, recipe,
/// statistics and encoders: it names no time, no machine and no path. Its JSON schema is `manifest.schema.json`.
public struct Manifest: Sendable, Codable, Equatable {
    public static let fileName = "manifest.json"
    /// The version of the format that is written; grows when a reader of the old one would be misled.
    public static let currentFormat = 1

    public let formatVersion: Int
    /// Version of the encoders.
    public let encoder: String
    /// Digest of the statistics the encoders used; nil without an importance matrix.
    public let statistics: Digest?
    /// As resolved; the source is named without its folder.
    public let recipe: Recipe
    public let sources: [Source]
    /// In the order of the recipe's targets.
    public let artifacts: [Artifact]

    public init(
        encoder: String, statistics: Digest?, recipe: Recipe, sources: [Source], artifacts: [Artifact]
    ) {
        formatVersion = Self.currentFormat
        self.encoder = encoder
        self.statistics = statistics
        self.recipe = recipe
        self.sources = sources
        self.artifacts = artifacts
    }

    /// A file of the checkpoint.
    public struct Source: Sendable, Codable, Equatable {
        public let name: String
        public let size: UInt64
        public let sha256: Digest
        public init(name: String, size: UInt64, sha256: Digest) {
            self.name = name
            self.size = size
            self.sha256 = sha256
        }
    }

    /// All files of one target.
    public struct Artifact: Sendable, Codable, Equatable {
        /// As the user spelled it: `Q4_K_M`.
        public let target: String
        public let files: [File]
        public init(target: String, files: [File]) {
            self.target = target
            self.files = files
        }
    }

    public struct File: Sendable, Codable, Equatable {
        /// Path within the folder of the manifest.
        public let name: String
        public let size: UInt64
        public let sha256: Digest
        /// In the order in which they lie in the file.
        public let tensors: [AssembledTensor]
        public init(name: String, size: UInt64, sha256: Digest, tensors: [AssembledTensor]) {
            self.name = name
            self.size = size
            self.sha256 = sha256
            self.tensors = tensors
        }
    }

    enum CodingKeys: String, CodingKey {
        case formatVersion = "format_version"
        case encoder, statistics, recipe, sources, artifacts
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(formatVersion, forKey: .formatVersion)
        try container.encode(self.encoder, forKey: .encoder)
        // Written as null, too: that there were no statistics is a statement.
        try container.encode(statistics, forKey: .statistics)
        try container.encode(recipe, forKey: .recipe)
        try container.encode(sources, forKey: .sources)
        try container.encode(artifacts, forKey: .artifacts)
    }
}

extension Manifest {
    /// The bytes of `manifest.json`.
    public func json() throws -> [UInt8] { try JSONFile.bytes(self, keys: .useDefaultKeys) }

    /// - Throws: `.invalidInput` where `json` is no manifest, `.unsupported` where its format is newer than this.
    public static func parse(_ json: [UInt8]) throws -> Manifest {
        struct Version: Decodable {
            let format_version: Int
        }
        let decoder = JSONDecoder()
        do {
            let version = try decoder.decode(Version.self, from: Data(json)).format_version
            guard version == currentFormat else {
                throw QuernError(
                    .unsupported, "format version \(version) is not known", at: fileName,
                    remedy: "Use the release of quern that wrote it, or a newer one")
            }
            return try decoder.decode(Manifest.self, from: Data(json))
        } catch let error as DecodingError {
            throw QuernError(
                .invalidInput, error.explanation, at: fileName,
                remedy: "The manifest is damaged: make or download the folder again")
        }
    }
}

extension DecodingError {
    /// What is wrong and where, in one line for people.
    public var explanation: String {
        let context: Context
        switch self {
        case .typeMismatch(_, let found), .valueNotFound(_, let found), .dataCorrupted(let found): context = found
        case .keyNotFound(let key, let found):
            return "\(Self.place(found.codingPath)): '\(key.stringValue)' is missing"
        @unknown default: return "not the JSON that is expected"
        }
        let problem = context.debugDescription
        return "\(Self.place(context.codingPath)): \(problem.hasSuffix(".") ? String(problem.dropLast()) : problem)"
    }

    private static func place(_ path: [any CodingKey]) -> String {
        path.isEmpty ? "top level" : path.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
    }
}
