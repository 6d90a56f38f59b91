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
        if try await registry.keepBlobs([digest]).isEmpty {
            guard try await base.contains(digest) else { return false }
            // From before blobs were recorded; otherwise it is being written or removed, and that stays as it is.
            try await registry.registerBlobs([digest])
            guard try await !registry.keepBlobs([digest]).isEmpty else { return false }
        }
        return try await base.contains(digest)
    }

    @discardableResult
    public func put(_ bytes: [UInt8]) async throws -> Digest {
        let digest = Digest(of: bytes)
        let arrivals = try await announce([digest])
        try await base.put(bytes)
        try await confirm(arrivals)
        return digest
    }

    public func get(_ digest: Digest) async throws -> [UInt8] { try await base.get(digest) }

    private func announce(_ digests: Set<Digest>) async throws -> [Digest: BlobArrival] {
        let arrivals = try await registry.announceBlobs(Array(digests))
        guard arrivals.count == digests.count else {
            throw QuernError(
                .unavailable, "a blob of this name is just being removed", remedy: "Store it again in a moment")
        }
        return arrivals
    }

    private func confirm(_ arrivals: [Digest: BlobArrival]) async throws {
        guard try await registry.confirmBlobs(arrivals).count == arrivals.count else {
            throw QuernError(.unavailable, "a blob was removed while it was written", remedy: "Store it again")
        }
    }
}

extension TrackedBlobStore: StreamingBlobStore where Base: StreamingBlobStore {
    public func makeWriter() throws -> BlobWriter { try base.makeWriter() }

    public func commit(_ writers: [BlobWriter]) throws {
        let digests = Set(try writers.map { try $0.finish().digest })
        guard !digests.isEmpty else { return }
        let arrivals = try blocking { try await announce(digests) }
        try base.commit(writers)
        try blocking { try await confirm(arrivals) }
    }

    public func load(_ digest: Digest) throws -> [UInt8] { try base.load(digest) }

    public func stream(_ digest: Digest, checked: Bool, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try base.stream(digest, checked: checked, body)
    }
}

extension TrackedBlobStore: DirectBlobStore where Base: DirectBlobStore {
    public func downloadURL(of digest: Digest) async throws -> String { try await base.downloadURL(of: digest) }

    /// Announced from now on: one that never comes, or is never confirmed, is collected as one whose writer has died.
    public func upload(of digest: Digest, bytes: Int) async throws -> BlobUpload? {
        let arrivals = try await announce([digest])
        if let upload = try await base.upload(of: digest, bytes: bytes) { return upload }
        try await confirm(arrivals)
        return nil
    }

    /// Announced once more before it is looked for, so that what is found stays.
    public func confirm(_ digest: Digest, bytes: Int) async throws {
        let arrivals = try await announce([digest])
        try await base.confirm(digest, bytes: bytes)
        try await confirm(arrivals)
    }
}
