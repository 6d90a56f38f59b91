import QuernFormats
import QuernStore

/// Blobs as stages use them: blocking, patient with a store that is away, and clear about what is lost.
struct BlobAccess: Sendable {
    let store: any BlobStore
    let retry: Retry

    private var local: (any StreamingBlobStore)? { store as? any StreamingBlobStore }

    /// Whether blobs pass through piece by piece, so that parts take no memory.
    var streams: Bool { local != nil }

    func contains(_ digest: Digest, _ control: WorkControl) throws -> Bool {
        try call(control) { try await $0.contains(digest) }
    }

    /// - Throws: `LostBlobs` where the blob is missing or damaged.
    func get(_ digest: Digest, _ control: WorkControl) throws -> [UInt8] {
        do {
            if let local { return try local.load(digest) }
            return try call(control) { try await $0.get(digest) }
        } catch let error as QuernError where error.code == .notFound || error.code == .corrupted {
            throw LostBlobs(digests: [digest], reason: error.description)
        }
    }

    /// Hands over the blob's bytes in pieces; see `StreamingBlobStore.stream`.
    /// - Throws: `LostBlobs` where the blob is missing or damaged.
    func stream(
        _ digest: Digest, checked: Bool, _ control: WorkControl, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        guard let local else {
            return try get(digest, control).withUnsafeBytes { try body($0) }
        }
        var failure: (any Error)?
        do {
            try local.stream(digest, checked: checked) { piece in
                do { try body(piece) } catch {
                    failure = error
                    throw error
                }
            }
        } catch let error as QuernError where error.code == .notFound || error.code == .corrupted {
            if let failure { throw failure }
            throw LostBlobs(digests: [digest], reason: error.description)
        }
    }

    /// - Throws: `LostBlobs` where the blob is missing or damaged.
    func check(_ digest: Digest, _ control: WorkControl) throws {
        try stream(digest, checked: true, control) { _ in try control.check() }
    }

    func makeWriter() throws -> PartWriter {
        guard let local else { return PartWriter(.memory) }
        return PartWriter(.blob(try local.makeWriter()))
    }

    /// Stores finished parts; returns when they are safe. Those in artifact files are as safe as they will be until the
    /// file is whole: what is lost is found when the file is read again.
    func commit(_ writers: [PartWriter], _ control: WorkControl) throws {
        if let local { try local.commit(writers.compactMap(\.blob)) }
        for writer in writers {
            guard let bytes = writer.takeBytes() else { continue }
            try call(control) { _ = try await $0.put(bytes) }
        }
    }

    /// How long a store may have trouble with its disk before it costs the item an attempt.
    private static let patience = Duration.seconds(120)

    private func call<Value: Sendable>(
        _ control: WorkControl, _ body: @escaping @Sendable (any BlobStore) async throws -> Value
    ) throws -> Value {
        try blocking { [store, retry] in
            try await retry.call(
                "blob store", until: control.dropped, waitingOut: [.io], atMost: Self.patience
            ) { try await body(store) }
        }
    }
}
