import NIOCore
import QuernFormats
import QuernStore
import Synchronization

/// A folder of a model on the hub, at one commit.
struct HubFolder: CheckpointFolder {
    let url: HubURL
    private let hub: HubFiles
    private let entries: [HubEntry]

    var name: String { url.name }
    var path: String { url.text }

    init(_ url: HubURL, entries: [HubEntry], hub: HubFiles) {
        self.url = url
        self.entries = entries
        self.hub = hub
    }

    func names() throws -> [String] { entries.map(\.name) }

    func open(_ fileName: String) throws -> (any CheckpointFile)? {
        try checkName(fileName)
        guard let entry = entries.first(where: { $0.name == fileName }) else { return nil }
        return try hub.file(url.appending(fileName), entry)
    }
}

/// What the hub says of a file, or of a folder.
struct HubEntry: Sendable {
    let name: String
    let isFolder: Bool
    let size: UInt64
    /// `sha256:` and the digest of a large file, else `git:` and the name that git has for it.
    let version: String
}

/// The files of models on the hub.
struct HubFiles: Sendable {
    let client: HubClient
    let cache: PieceCache

    private static let pages = 100
    private static let listingsKept = 256

    /// By URL, of commits only: they never change.
    private static let listings = Mutex<[String: [HubEntry]]>([:])

    /// The same with the commit that the revision names at this moment. Blocking.
    func pinned(_ url: HubURL) throws -> HubURL {
        if url.isPinned { return url }
        let json = try blocking { [client] in
            try await client.document(
                "/api/models/\(url.encodedRepository)/revision/\(url.encodedRevision)", about: url
            ).json
        }
        guard let commit = json.object?["sha"]?.string, url.at(commit: commit).isPinned else {
            throw QuernError(
                .invalidInput, "the hub does not name the commit", at: url.text,
                remedy: "Check that HF_ENDPOINT is the address of a hub")
        }
        return url.at(commit: commit)
    }

    func folder(_ url: HubURL) throws -> HubFolder {
        let url = try pinned(url)
        return HubFolder(url, entries: try entries(of: url).filter { !$0.isFolder }, hub: self)
    }

    /// - Throws: `.notFound` where there is no such file.
    func file(_ url: HubURL) throws -> RemoteFile {
        let url = try pinned(url)
        let (folder, name) = url.parent
        guard let entry = try entries(of: folder).first(where: { $0.name == name }), !entry.isFolder else {
            throw QuernError(
                .notFound, "there is no such file in the model", at: url.text,
                remedy: "Look for it at \(client.settings.endpoint)/\(url.repository)/tree/\(url.encodedRevision)")
        }
        return try file(url, entry)
    }

    func file(_ url: HubURL, _ entry: HubEntry) throws -> RemoteFile {
        file(url, size: entry.size, version: entry.version)
    }

    func file(_ url: HubURL, size: UInt64, version: String) -> RemoteFile {
        RemoteFile(url: url.text, size: size, version: version, cache: cache) { [client] range in
            try await client.bytes(range, of: url, size: size, version: version)
        }
    }

    /// What lies directly in a folder, in the order of the names' bytes.
    private func entries(of url: HubURL) throws -> [HubEntry] {
        let key = "\(client.settings.endpoint) \(url.text)"
        if let known = Self.listings.withLock({ $0[key] }) { return known }
        let entries = try blocking { [client] in
            var entries: [HubEntry] = []
            let path = url.path.isEmpty ? "" : "/\(url.encodedPath)"
            var next: String? = "/api/models/\(url.encodedRepository)/tree/\(url.encodedRevision)\(path)"
            for _ in 0..<Self.pages {
                guard let page = next else { break }
                let answer = try await client.document(page, about: url)
                guard let list = answer.json.array else {
                    throw QuernError(.invalidInput, "the hub's list of files is none", at: url.text)
                }
                entries += try list.map { try Self.entry($0, in: url) }
                next = answer.next
            }
            return entries.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        }
        Self.listings.withLock { listings in
            if listings.count >= Self.listingsKept { listings = [:] }
            listings[key] = entries
        }
        return entries
    }

    private static func entry(_ json: JSONValue, in url: HubURL) throws -> HubEntry {
        func wrong() -> QuernError {
            QuernError(
                .invalidInput, "the hub's list of files cannot be read", at: url.text,
                remedy: "Check that HF_ENDPOINT is the address of a hub")
        }
        guard let object = json.object, let path = object["path"]?.string, let type = object["type"]?.string,
            let name = path.split(separator: "/").last.map(String.init)
        else { throw wrong() }
        guard type == "file" else { return HubEntry(name: name, isFolder: true, size: 0, version: "") }
        let large = object["lfs"]?.object
        guard let size = (large?["size"] ?? object["size"])?.integer.flatMap({ UInt64(exactly: $0) }), size < 1 << 62
        else { throw wrong() }
        if let digest = large?["oid"]?.string {
            guard Digest(hex: digest) != nil else { throw wrong() }
            return HubEntry(name: name, isFolder: false, size: size, version: "sha256:\(digest)")
        }
        guard let id = object["oid"]?.string, !id.isEmpty else { throw wrong() }
        return HubEntry(name: name, isFolder: false, size: size, version: "git:\(id)")
    }
}
