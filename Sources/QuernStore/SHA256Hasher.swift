import Crypto

/// An incremental sha256 (FIPS 180-4), at the speed of the machine's instructions for it.
public struct SHA256Hasher: Sendable {
    private var state = SHA256()

    public init() {}

    /// Takes in the next bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        state.update(bufferPointer: bytes)
    }

    /// Takes in the next bytes.
    public mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { state.update(bufferPointer: $0) }
    }

    /// The digest of all bytes so far; more may follow.
    public func finish() -> Digest {
        state.finalize().withUnsafeBytes { Digest(sha256: $0) }
    }
}

extension Digest {
    /// The sha256 of `bytes`.
    public init(of bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { Digest(of: $0) }
    }

    /// The sha256 of `bytes`.
    public init(of bytes: UnsafeRawBufferPointer) {
        var hasher = SHA256Hasher()
        hasher.update(bytes)
        self = hasher.finish()
    }
}
