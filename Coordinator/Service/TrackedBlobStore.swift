import QuernFormats
import QuernJobs
import QuernStore

/// A blob store whose blobs a job store knows of, so that none is removed while somebody counts on it.
public struct TrackedBlobStore<Base: BlobStore>: BlobStore {
    let base: Base
    let registry: any BlobRegistry

    public init(_ base: Base, registry: any BlobRegistry) {
        self.base = base
        self.registry = registry
    }

    /// What is there stays there for a while from now on.
    public func contains(_ digest: Digest) async throws -> Bool {
        if try await registry.keepBlobs([digest], adding: false).contains(digest) {
            return try await base.contains(digest)
        }
        // Not known: from before blobs were recorded. It is looked for once more, for it may have been on its way out.
        guard try await base.contains(digest) else { return false }
        guard try await registry.keepBlobs([digest], adding: true).contains(digest) else { return false }
        return try await base.contains(digest)
    }

    @discardableResult
    public func put(_ bytes: [UInt8]) async throws -> Digest {
        let digest = Digest(of: bytes)
        try await announce([digest])
        try await base.put(bytes)
        try await confirm([digest])
        return digest
    }

    public func get(_ digest: Digest) async throws -> [UInt8] { try await base.get(digest) }

    /// Before blobs are written.
    private func announce(_ digests: Set<Digest>) async throws {
        guard try await registry.keepBlobs(Array(digests), adding: true) == digests else {
            throw QuernError(
                .unavailable, "a blob of this name is just being removed", remedy: "Store it again in a moment")
        }
    }

    /// After they were: had it taken so long that they were taken for forgotten, they may be gone again.
    private func confirm(_ digests: Set<Digest>) async throws {
        guard try await registry.keepBlobs(Array(digests), adding: false) == digests else {
            throw QuernError(.unavailable, "a blob was removed while it was written", remedy: "Store it again")
        }
    }
}

extension TrackedBlobStore: StreamingBlobStore where Base: StreamingBlobStore {
    public func makeWriter() throws -> BlobWriter { try base.makeWriter() }

    public func commit(_ writers: [BlobWriter]) throws {
        let digests = Set(try writers.map { try $0.finish().digest })
        guard !digests.isEmpty else { return }
        try blocking { try await announce(digests) }
        try base.commit(writers)
        try blocking { try await confirm(digests) }
    }

    public func load(_ digest: Digest) throws -> [UInt8] { try base.load(digest) }

    public func stream(_ digest: Digest, checked: Bool, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try base.stream(digest, checked: checked, body)
    }
}
