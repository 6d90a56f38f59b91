/// A blob store from which blobs can be removed.
public protocol CollectableBlobStore: BlobStore {
    /// Removes the blob; one that is not there is removed already.
    func remove(_ digest: Digest) async throws

    /// The blobs whose names begin with the byte `first` and that have been there for at least `age`.
    func digests(beginningWith first: UInt8, olderThan age: Duration) async throws -> [Digest]
}
