import Crypto
import Foundation
import QuernFormats

/// A private key to sign with, on P-256, P-384 or P-521.
public struct SigningKey: Sendable {
    private enum Curve: Sendable {
        case p256(P256.Signing.PrivateKey)
        case p384(P384.Signing.PrivateKey)
        case p521(P521.Signing.PrivateKey)
    }

    private let curve: Curve
    /// Whether the file that it was read from is open to others than its owner.
    public let isExposed: Bool

    /// - Parameter pem: an `EC PRIVATE KEY` block (SEC 1) or a `PRIVATE KEY` block (PKCS #8), not encrypted.
    /// - Throws: `.unsupported` for encrypted keys and keys of other kinds, `.invalidInput` where there is none.
    public init(pem: String) throws { try self.init(pem: pem, isExposed: false) }

    private init(pem: String, isExposed: Bool) throws {
        self.isExposed = isExposed
        let blocks = try PEM(pem).blocks
        let encrypted = blocks.contains { block in
            block.label == "ENCRYPTED PRIVATE KEY"
                || block.lines.contains { $0.hasPrefix("Proc-Type:") && $0.hasSuffix("ENCRYPTED") }
        }
        guard !encrypted else {
            throw QuernError(
                .unsupported, "the key is encrypted",
                remedy: "Sign with a decrypted copy that only you can read: openssl pkey -in KEY -out COPY")
        }
        guard let block = blocks.first(where: { $0.label.hasSuffix("PRIVATE KEY") }) else {
            throw QuernError(
                .invalidInput, "holds a \(blocks[0].label), and no private key",
                remedy: "Sign with the private key of the pair")
        }
        if let key = try? P256.Signing.PrivateKey(pemRepresentation: block.text) {
            curve = .p256(key)
        } else if let key = try? P384.Signing.PrivateKey(pemRepresentation: block.text) {
            curve = .p384(key)
        } else if let key = try? P521.Signing.PrivateKey(pemRepresentation: block.text) {
            curve = .p521(key)
        } else {
            throw QuernError(
                .unsupported, "no key on the curves P-256, P-384 and P-521",
                remedy: "Make one with openssl ecparam -genkey -name prime256v1 -noout")
        }
    }

    /// - Throws: as `init(pem:)`, `.notFound`, `.io`.
    public static func read(path: String) throws -> SigningKey {
        let (text, mode) = try PEM.read(path: path)
        do {
            return try SigningKey(pem: text, isExposed: mode & 0o077 != 0)
        } catch let error as QuernError {
            throw error.located(in: path)
        }
    }

    public var verificationKey: VerificationKey {
        switch curve {
        case .p256(let key): VerificationKey(.p256(key.publicKey))
        case .p384(let key): VerificationKey(.p384(key.publicKey))
        case .p521(let key): VerificationKey(.p521(key.publicKey))
        }
    }

    /// An ECDSA signature in DER; another one at every call.
    func signature(of message: [UInt8]) throws -> [UInt8] {
        let der =
            switch curve {
            case .p256(let key): try key.signature(for: message).derRepresentation
            case .p384(let key): try key.signature(for: message).derRepresentation
            case .p521(let key): try key.signature(for: message).derRepresentation
            }
        return [UInt8](der)
    }
}
