import Foundation
import QuernFormats

/// A signed in-toto statement in a bundle of Sigstore, version 0.3: a DSSE envelope, and which key signed it.
///
/// The format is that of https://docs.sigstore.dev/about/bundle/; what is signed is the pre-authentication encoding of
/// https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md.
public struct SigstoreBundle: Sendable, Equatable {
    static let mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
    static let payloadType = "application/vnd.in-toto+json"
    /// Most bytes of a bundle: room for some hundred thousand files.
    private static let limits = JSONLimits(bytes: 64 << 20, depth: 16, values: 4096)

    /// The statement's JSON text.
    public let payload: [UInt8]
    /// ECDSA, in DER.
    let signature: [UInt8]
    /// `VerificationKey.fingerprint` of the key; nil in bundles of older signers.
    let fingerprint: String?

    /// Signs a statement.
    init(signing payload: [UInt8], with key: SigningKey) throws {
        self.payload = payload
        signature = try key.signature(of: Self.signed(payload, type: Self.payloadType))
        fingerprint = key.verificationKey.fingerprint
    }

    /// - Throws: `.invalidInput` where it is no such bundle, `.unsupported` where another kind of key signed it.
    public init(json: [UInt8]) throws {
        let bundle = try JSONMembers(
            .parse(json, limits: Self.limits), of: "the bundle",
            known: ["mediaType", "verificationMaterial", "dsseEnvelope"])
        try bundle.require(Self.mediaType, "mediaType")

        let material = try bundle.members("verificationMaterial")
        guard let key = try material.optionalMembers("publicKey", known: ["hint", "rawBytes", "keyDetails"]) else {
            throw QuernError(
                .unsupported, "the bundle was not signed with a plain key",
                remedy: "Verify it with model_signing, which knows certificates and identities")
        }
        try material.onlyHas(["publicKey", "tlogEntries", "timestampVerificationData"])
        fingerprint = try key.optionalString("hint")

        let envelope = try bundle.members("dsseEnvelope", known: ["payload", "payloadType", "signatures"])
        try envelope.require(Self.payloadType, "payloadType")
        payload = try envelope.bytes("payload")
        let signatures = try envelope.array("signatures")
        guard signatures.count == 1 else {
            throw QuernError(.invalidInput, "\(signatures.count) signatures in place of one", at: "signatures")
        }
        signature = try JSONMembers(signatures[0], of: "signatures", known: ["sig", "keyid"]).bytes("sig")
    }

    /// The bundle as JSON, without a line end.
    public func json() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return [UInt8](
            try encoder.encode(
                Written(
                    verificationMaterial: .init(publicKey: .init(hint: fingerprint)),
                    dsseEnvelope: .init(
                        payload: Data(payload), signatures: [.init(sig: Data(signature))]))))
    }

    /// Whether it was signed with the other half of `key`.
    public func isSigned(by key: VerificationKey) -> Bool {
        names(key) && key.accepts(signature, of: Self.signed(payload, type: Self.payloadType))
    }

    /// False where it says that another key has signed it.
    public func names(_ key: VerificationKey) -> Bool { fingerprint == nil || fingerprint == key.fingerprint }

    /// The bytes that a signature in an envelope is over: DSSE's pre-authentication encoding.
    public static func signed(_ payload: [UInt8], type: String) -> [UInt8] {
        Array("DSSEv1 \(type.utf8.count) \(type) \(payload.count) ".utf8) + payload
    }

    private struct Written: Encodable {
        struct Material: Encodable {
            struct Key: Encodable { let hint: String? }
            let publicKey: Key
            let tlogEntries: [String] = []
        }
        struct Envelope: Encodable {
            struct Signature: Encodable {
                let sig: Data
                let keyid = ""
            }
            let payload: Data
            let payloadType = SigstoreBundle.payloadType
            let signatures: [Signature]
        }
        let mediaType = SigstoreBundle.mediaType
        let verificationMaterial: Material
        let dsseEnvelope: Envelope
    }
}
