import Foundation
import QuernFormats
import Synchronization

/// Checkpoints on the Hugging Face Hub, `hf://ORGANIZATION/NAME[@REVISION][/PATH]`, and in S3,
/// `s3://BUCKET/PREFIX[?region=…&endpoint=…&style=…&profile=…]`, read by ranges. What ends in `.gguf` or `.safetensors`
/// is a file, everything else a folder.
public final class RemoteSources: RemoteReader {
    private let environment: [String: String]
    private let cacheBytes: @Sendable () throws -> Int
    private let memory: Int
    private let patience: Patience
    private let shared = Mutex<(cache: PieceCache?, hub: HubFiles?)>((nil, nil))

    /// - Parameters:
    ///   - environment: for `HF_TOKEN`, `HF_ENDPOINT`, `AWS_ACCESS_KEY_ID` and their like.
    ///   - cache: bytes of disk for what may be read again; asked when it is first needed.
    public convenience init(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        cache: @escaping @Sendable () throws -> Int
    ) {
        self.init(environment: environment, cache: cache, memory: 128 << 20, patience: HubClient.patience)
    }

    /// - Parameters:
    ///   - memory: bytes that are fetched ahead at most.
    ///   - patience: with the hub.
    package init(
        environment: [String: String], cache: @escaping @Sendable () throws -> Int, memory: Int,
        patience: Patience
    ) {
        self.environment = environment
        cacheBytes = cache
        self.memory = memory
        self.patience = patience
    }

    private enum Kind {
        case hub(HubURL)
        case s3
    }

    private static func kind(_ url: String) throws -> Kind {
        if HubURL.isMeant(by: url) { return .hub(try HubURL(url)) }
        if S3URL.isMeant(by: url) { return .s3 }
        throw QuernError(
            .unsupported, "sources are not read from such places", at: url,
            remedy: "Give a path, hf://ORGANIZATION/NAME or s3://BUCKET/PREFIX")
    }

    private func cache(_ shared: inout (cache: PieceCache?, hub: HubFiles?)) throws -> PieceCache {
        if let cache = shared.cache { return cache }
        let cache = PieceCache(spool: try cacheBytes(), memory: memory)
        shared.cache = cache
        return cache
    }

    private func hub() throws -> HubFiles {
        try shared.withLock { shared in
            if let hub = shared.hub { return hub }
            let hub = HubFiles(
                client: try HubClient(settings: HubSettings(environment: environment), patience: patience),
                cache: try cache(&shared))
            shared.hub = hub
            return hub
        }
    }

    private func s3() throws -> S3Files {
        try shared.withLock { S3Files(environment: environment, cache: try cache(&$0)) }
    }

    public func pinned(_ url: String) throws -> String {
        switch try Self.kind(url) {
        case .hub(let place): try hub().pinned(place).text
        case .s3: url
        }
    }

    public func isPinned(_ pinned: String, of url: String) -> Bool {
        if pinned == url { return true }
        guard let commit = try? HubURL(pinned), let place = try? HubURL(url), commit.isPinned else { return false }
        return place.at(commit: commit.revision) == commit && (!place.isPinned || place == commit)
    }

    public func name(of url: String) -> String {
        if let place = try? HubURL(url) { return place.name }
        return S3Files.name(url)
    }

    public func manifestName(of url: String) -> String {
        if let place = try? HubURL(url) { return place.text }
        return S3Files.name(url)
    }

    public func host(of url: String) throws -> RemoteHost {
        switch try Self.kind(url) {
        case .hub: RemoteHost(names: [try hub().client.host])
        case .s3: try s3().host(url)
        }
    }

    public func isFolder(_ url: String) throws -> Bool {
        let isWhole =
            switch try Self.kind(url) {
            case .hub(let place): place.path.isEmpty
            case .s3: try S3URL(url).prefix.isEmpty
            }
        let name = name(of: url).lowercased()
        return isWhole || !(name.hasSuffix(".gguf") || name.hasSuffix(".safetensors"))
    }

    public func folder(_ url: String) throws -> any CheckpointFolder {
        switch try Self.kind(url) {
        case .hub(let place): try hub().folder(place)
        case .s3: try s3().folder(url)
        }
    }

    public func file(_ url: String) throws -> any CheckpointFile {
        switch try Self.kind(url) {
        case .hub(let place): try hub().file(place)
        case .s3: try s3().file(url)
        }
    }

    public func file(_ url: String, size: UInt64, version: String) throws -> any CheckpointFile {
        switch try Self.kind(url) {
        case .hub(let place): try hub().file(place, size: size, version: version)
        case .s3: try s3().file(url, size: size, tag: version)
        }
    }
}
