import Foundation
import QuernFormats
import QuernJobs
import QuernStore

/// What items leave in blobs, found again under a key by whoever would compute the same.
extension StageContext {
    /// - Returns: blobs that, joined, are what was kept under the key; nil where there is nothing, or not all any more.
    func known(_ key: Digest) throws -> [Digest]? {
        var digests: [Digest] = []
        while true {
            let key = key.ofPiece(digests.count)
            guard let part = try lookUp?([key])[key], try blobs.contains(part.digest, control) else { return nil }
            digests.append(part.digest)
            // All but the last are full.
            if part.bytes < UInt64(maximumBlobBytes) { return digests }
        }
    }

    /// What goes with the completion of an item for its bytes to be found again.
    func entries(for pieces: BlobAccess.Pieces, under key: Digest) -> [Completion.CacheEntry] {
        guard lookUp != nil else { return [] }
        return pieces.parts.enumerated().map { Completion.CacheEntry(key: key.ofPiece($0), part: $1) }
    }
}

extension Encodable {
    /// The same bytes for equal values.
    var sortedJSON: Data {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            return try encoder.encode(self)
        }
    }
}

extension Digest {
    /// The name under which what some computation makes of values is found again.
    static func key(_ computation: String, of values: [any Encodable]) throws -> Digest {
        let content = try [Data(computation.utf8)] + values.map { try $0.sortedJSON }
        return Digest(of: Array(content.joined(separator: Data("\n".utf8))))
    }

    fileprivate func ofPiece(_ index: Int) -> Digest {
        index == 0 ? self : Digest(of: Array("\(hex) piece \(index)".utf8))
    }
}
