import Crypto
import QuernFormats

/// A sha256 over bytes that come piece by piece.
public struct SHA256Hasher {
    private var state = SHA256()

    public init() {}

    public mutating func update(_ bytes: UnsafeRawBufferPointer) { state.update(bufferPointer: bytes) }

    public mutating func update(_ bytes: [UInt8]) { state.update(data: bytes) }

    /// The digest of everything so far.
    public func finish() -> Digest {
        guard let digest = Digest(bytes: Array(state.finalize())) else {
            preconditionFailure("a sha256 has 32 bytes")
        }
        return digest
    }
}

extension Digest {
    /// The sha256 of `content`.
    public init(of content: [UInt8]) {
        var hasher = SHA256Hasher()
        hasher.update(content)
        self = hasher.finish()
    }
}
