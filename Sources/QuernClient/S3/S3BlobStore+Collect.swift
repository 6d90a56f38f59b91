import Foundation
import QuernFormats
import QuernStore

extension S3BlobStore: CollectableBlobStore {
    public func remove(_ digest: Digest) async throws {
        _ = try await client.response("DELETE", Self.key(of: digest))
    }

    /// Ages are by the clock of this machine against S3's.
    public func digests(beginningWith first: UInt8, olderThan age: Duration) async throws -> [Digest] {
        let folder = "\(client.location.prefix)sha256/\(Digest.hex(first))/"
        let newest = Date(timeIntervalSinceNow: -Double(age.components.seconds))
        return try await client.objects(under: folder, isFolder: false, at: client.location.description).compactMap {
            guard let modified = $0.modified, modified <= newest else { return nil }
            return $0.key.split(separator: "/").last.flatMap { Digest(hex: $0) }
        }
    }
}
