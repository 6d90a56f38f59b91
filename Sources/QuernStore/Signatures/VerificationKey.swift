import Crypto
import Foundation
import QuernFormats

/// A public key that signatures are checked with: ECDSA on P-256, P-384 or P-521, over SHA-256, SHA-384 or SHA-512.
public struct VerificationKey: Sendable {
    enum Curve: Sendable {
        case p256(P256.Signing.PublicKey)
        case p384(P384.Signing.PublicKey)
        case p521(P521.Signing.PublicKey)
    }

    let curve: Curve

    /// - Parameter pem: a `PUBLIC KEY` block (SubjectPublicKeyInfo).
    /// - Throws: `.invalidInput` for a private key, a certificate or anything else; `.unsupported` for keys of other
    ///   kinds.
    public init(pem: String) throws {
        let blocks = try PEM(pem).blocks
        guard let block = blocks.first(where: { $0.label == "PUBLIC KEY" }) else {
            let label = blocks[0].label
            let remedy =
                label.hasSuffix("PRIVATE KEY")
                ? "Verify with the public one: openssl ec -in KEY -pubout"
                : label == "CERTIFICATE"
                    ? "Take the key out of it: openssl x509 -in CERTIFICATE -pubkey -noout"
                    : "Name a file that holds a PUBLIC KEY block"
            throw QuernError(.invalidInput, "holds a \(label), and no public key", remedy: remedy)
        }
        if let key = try? P256.Signing.PublicKey(pemRepresentation: block.text) {
            curve = .p256(key)
        } else if let key = try? P384.Signing.PublicKey(pemRepresentation: block.text) {
            curve = .p384(key)
        } else if let key = try? P521.Signing.PublicKey(pemRepresentation: block.text) {
            curve = .p521(key)
        } else {
            throw QuernError(
                .unsupported, "no key on the curves P-256, P-384 and P-521",
                remedy: "Make one with openssl ecparam -genkey -name prime256v1 -noout")
        }
    }

    init(_ curve: Curve) { self.curve = curve }

    /// - Throws: as `init(pem:)`, `.notFound`, `.io`.
    public static func read(path: String) throws -> VerificationKey {
        let text = try PEM.read(path: path).text
        do {
            return try VerificationKey(pem: text)
        } catch let error as QuernError {
            throw error.located(in: path)
        }
    }

    /// The sha256 of the key as PEM text, with its last line end: what signatures name their key by. 64 hexadecimal
    /// digits.
    public var fingerprint: String { Digest(of: Array((pem + "\n").utf8)).hex }

    /// A `PUBLIC KEY` block, without a line end behind it.
    public var pem: String {
        switch curve {
        case .p256(let key): key.pemRepresentation
        case .p384(let key): key.pemRepresentation
        case .p521(let key): key.pemRepresentation
        }
    }

    /// - Parameter signature: in DER, as X9.62 has it.
    public func accepts(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        switch curve {
        case .p256(let key):
            guard let signature = try? P256.Signing.ECDSASignature(derRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: message)
        case .p384(let key):
            guard let signature = try? P384.Signing.ECDSASignature(derRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: message)
        case .p521(let key):
            guard let signature = try? P521.Signing.ECDSASignature(derRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: message)
        }
    }
}
