import Crypto

/// HMAC with SHA-256 (RFC 2104): a digest that only who has the key can make.
public enum MessageAuthentication {
    /// Bytes of a key as they should be: as many as come out.
    public static let keyBytes = 32

    public static func code(of message: [UInt8], key: [UInt8]) -> Digest {
        let code = HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key))
        return code.withUnsafeBytes { Digest(sha256: $0) }
    }

    /// Takes the same time wherever the codes differ.
    public static func isValid(_ code: Digest, of message: [UInt8], key: [UInt8]) -> Bool {
        HMAC<SHA256>.isValidAuthenticationCode(
            code.bytes, authenticating: message, using: SymmetricKey(data: key))
    }
}
