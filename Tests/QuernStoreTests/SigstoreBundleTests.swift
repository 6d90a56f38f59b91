import Crypto
import Foundation
import QuernFormats
import QuernStore
import TestSupport
import Testing

/// Bundles: those of model_signing are read, ours have its form, and no changed one passes.
@Suite struct SigstoreBundleTests {
    static let names = ["p256", "p384", "p521"]

    private func key(_ name: String) throws -> VerificationKey {
        try VerificationKey.read(path: Fixtures.path("signatures/\(name).pub.pem"))
    }

    @Test(arguments: names) func bundleOfModelSigningIsRead(name: String) throws {
        let bundle = try SigstoreBundle(json: Fixtures.bytes("signatures/\(name).sig"))
        for other in Self.names { #expect(try bundle.isSigned(by: key(other)) == (other == name)) }
        let signed = try SignedFiles(statement: bundle.payload)
        #expect(signed.folder == "model")
        #expect(!signed.allowsSymbolicLinks)
        #expect(Set(signed.ignored) == [".git", ".gitattributes", ".github", ".gitignore"])
        #expect(
            signed.files.map { "\($0.name) \($0.sha256)" } == [
                "config.json 8608a50b4ce24b4d00f83cb859a5dccc25347528f8e49640bf3dbd4dffd32f28",
                "sub/weights.bin 40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880",
                "sub.txt 3683d07df9aee399143d72f2955c595ce544637484a37bfd768b9ea45e81e6d3",
            ])
    }

    @Test func writtenBundleHasTheFormOfModelSigning() throws {
        let key = try SigningKey(pem: P256.Signing.PrivateKey().pemRepresentation)
        let bundle = try SignedFiles(folder: "m", files: [], ignored: []).signed(with: key)
        var text = String(decoding: try bundle.json(), as: UTF8.self)
        #expect(try SigstoreBundle(json: Array(text.utf8)) == bundle)
        // The signature is another one every time.
        let signature = try #require(text.firstRange(of: /"sig":"[A-Za-z0-9+\/=]+"/))
        text.replaceSubrange(signature, with: "\"sig\":\"\"")
        let payload = Data(bundle.payload).base64EncodedString()
        #expect(
            text == """
                {"dsseEnvelope":{"payload":"\(payload)","payloadType":"application/vnd.in-toto+json",\
                "signatures":[{"keyid":"","sig":""}]},\
                "mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",\
                "verificationMaterial":{"publicKey":{"hint":"\(key.verificationKey.fingerprint)"},"tlogEntries":[]}}
                """)
    }

    /// Every byte of every key and value, changed in each of its low bits.
    @Test(arguments: names) func changedBundleIsRefused(name: String) throws {
        let bytes = try Fixtures.bytes("signatures/\(name).sig")
        let key = try key(name)
        var accepted: [String] = []
        for position in bytes.indices {
            for bit in [0, 1, 2, 5] {
                var changed = bytes
                changed[position] ^= 1 << bit
                guard let bundle = try? SigstoreBundle(json: changed), bundle.isSigned(by: key) else { continue }
                accepted.append(
                    "\(position).\(bit) \(String(decoding: changed[max(0, position - 9)...position], as: UTF8.self))")
            }
        }
        #expect(accepted == [])
    }

    @Test(arguments: names) func shortenedBundleIsRefused(name: String) throws {
        let bytes = try Fixtures.bytes("signatures/\(name).sig")
        for count in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: QuernError.self) { try SigstoreBundle(json: Array(bytes[..<count])) }
        }
    }

    @Test(arguments: [
        ("bundle.v0.3", "bundle.v0.2", "mediaType"), ("\"hint\"", "\"tint\"", "tint"),
        ("application/vnd.in-toto+json", "text/plain", "payloadType"), ("{\"sig\"", "{},{\"sig\"", "2 signatures"),
        ("\"publicKey\":{", "\"certificate\":{", "was not signed with a plain key"),
        ("\"payload\":\"", "\"payload\":\" ", "no base64"), ("\"tlogEntries\":[]", "\"x\":1", "'x'"),
        ("\"dsseEnvelope\"", "\"messageSignature\"", "messageSignature"),
    ]) func otherBundlesAreRefused(from: String, to: String, words: String) throws {
        let text = String(decoding: try Fixtures.bytes("signatures/p256.sig"), as: UTF8.self)
        try #require(text.contains(from))
        let error = #expect(throws: QuernError.self) {
            try SigstoreBundle(json: Array(text.replacing(from, with: to).utf8))
        }
        #expect("\(String(describing: error))".contains(words), "\(String(describing: error))")
    }

    @Test func signerWithoutAHintIsFoundByItsKey() throws {
        let text = String(decoding: try Fixtures.bytes("signatures/p256.sig"), as: UTF8.self)
        let plain = try SigstoreBundle(json: Array(text.replacing(/"hint":"[0-9a-f]*"/, with: "").utf8))
        #expect(try plain.isSigned(by: key("p256")))
        #expect(try !plain.isSigned(by: key("p384")))
    }
}
