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
        try blocking { [store, retry] in
            try await retry.call("blob store", until: control.dropped) { try await store.contains(digest) }
        }
    }

    /// - Throws: `LostBlobs` where the blob is missing or damaged.
    func get(_ digest: Digest, _ control: WorkControl) throws -> [UInt8] {
        do {
            return try blocking { [store, retry] in
                try await retry.call("blob store", until: control.dropped) { try await store.get(digest) }
            }
        } catch let error as QuernError where error.code == .notFound || error.code == .corrupted {
            throw LostBlobs(digests: [digest], reason: error.description)
        }
    }

    /// Hands over the blob's bytes in pieces; see `StreamingBlobStore.stream`.
    /// - Throws: `LostBlobs` where the blob is missing or damaged.
    func stream(
        _ digest: Digest, _ control: WorkControl, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        guard let local else {
            return try get(digest, control).withUnsafeBytes { try body($0) }
        }
        var failure: (any Error)?
        do {
            try local.stream(digest) { piece in
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

    func makeWriter() throws -> PartWriter {
        if let local { return PartWriter(.file(try local.makeWriter())) }
        return PartWriter(.memory)
    }

    /// Stores finished parts; returns when they are safe.
    func commit(_ writers: [PartWriter], _ control: WorkControl) throws {
        if let local {
            return try local.commit(writers.compactMap { $0.file })
        }
        for writer in writers {
            let bytes = writer.takeBytes()
            try blocking { [store, retry] in
                try await retry.call("blob store", until: control.dropped) { _ = try await store.put(bytes) }
            }
        }
    }
}

/// A part in the making: in a file where the store is on this machine, in memory otherwise.
final class PartWriter: Sendable {
    enum Place {
        case file(BlobWriter)
        case memory
    }

    let file: BlobWriter?
    private struct Memory {
        var hasher = SHA256Hasher()
        var bytes: [UInt8] = []
    }
    private let memory = Mutexed(Memory())

    init(_ place: Place) {
        file = if case .file(let writer) = place { writer } else { nil }
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        if let file { return try file.append(bytes) }
        try memory.mutate { memory -> Result<Void, QuernError> in
            guard memory.bytes.count + bytes.count <= maximumBlobBytes else {
                return .failure(QuernError(.invalidInput, "a blob holds at most \(maximumBlobBytes) bytes"))
            }
            memory.hasher.update(bytes)
            memory.bytes.append(contentsOf: bytes)
            return .success(())
        }.get()
    }

    /// - Returns: the part's name and size; nothing can be appended after.
    func finish() throws -> (digest: Digest, bytes: UInt64) {
        if let file { return try file.finish() }
        return memory.mutate { ($0.hasher.finish(), UInt64($0.bytes.count)) }
    }

    /// The bytes, which leave the writer.
    fileprivate func takeBytes() -> [UInt8] {
        memory.mutate { memory in
            defer { memory.bytes = [] }
            return memory.bytes
        }
    }
}
