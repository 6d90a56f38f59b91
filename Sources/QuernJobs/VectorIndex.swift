import QuernFormats
import QuernStore

/// The importance vectors that a merge item made: for each tensor the blob that holds them.
///
/// As a blob it is lines of text, `<digest> <tensor>`, sorted by name: small enough for every encode item to read,
/// while an item takes only the vectors of its own tensors.
public struct VectorIndex: Sendable, Equatable {
    /// By tensor name, blobs of little-endian F32 [matrices, columns].
    public let vectors: [String: Digest]

    public init(vectors: [String: Digest]) { self.vectors = vectors }

    public var bytes: [UInt8] {
        vectors.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            .flatMap { name, digest in Array("\(digest.hex) \(name)\n".utf8) }
    }

    /// - Throws: `QuernError` `.corrupted` where a line is of another form, or a name is there twice.
    public init(bytes: [UInt8]) throws {
        var vectors: [String: Digest] = [:]
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard line.count > 65, line[line.startIndex + 64] == UInt8(ascii: " "),
                let digest = Digest(hex: String(decoding: line.prefix(64), as: UTF8.self)),
                let name = String(validating: line.dropFirst(65), as: UTF8.self),
                vectors.updateValue(digest, forKey: name) == nil
            else { throw QuernError(.corrupted, "a line of another form", at: "index of importance vectors") }
        }
        self.vectors = vectors
    }
}
