import Crypto
import Foundation
import QuernFormats
import QuernStore
import TestSupport
import Testing

/// Keys as openssl and others write them, and what a signature is over.
@Suite struct SignatureKeyTests {
    /// The example of the DSSE specification: key, payload and signature.
    @Test func specificationsExample() throws {
        let message = SigstoreBundle.signed(Array("hello world".utf8), type: "http://example.com/HelloWorld")
        #expect(String(decoding: message, as: UTF8.self) == "DSSEv1 29 http://example.com/HelloWorld 11 hello world")
        let key = try VerificationKey(
            pem: """
                -----BEGIN PUBLIC KEY-----
                MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZ805D3eqNZywjCI19lInBJOp7YMr
                CrzAH3CVTAOQ0jgMeCvVTiaRJaRPRDOv8UMs6U4SvKc6pnrIDOoSYI3fdA==
                -----END PUBLIC KEY-----
                """)
        let signature = try #require(
            Data(
                base64Encoded: "MEQCIANyarEBrVbCdjtsaqyOSHJ14qeRk6CdxfhZ2fjvPEo7"
                    + "AiBR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="))
        #expect(key.accepts([UInt8](signature), of: message))
        #expect(!key.accepts([UInt8](signature), of: message + [0]))
    }

    @Test func encodingCountsBytes() {
        #expect(SigstoreBundle.signed([0xC3, 0xA9, 0], type: "é") == Array("DSSEv1 2 é 3 é\0".utf8))
        #expect(SigstoreBundle.signed([], type: "") == Array("DSSEv1 0  0 ".utf8))
    }

    @Test(arguments: [
        ("p256", "2f3422c457c3442f628b354c395f2053806a1936af8c4de839b7d417c5e7fd70"),
        ("p384", "3878b83bd56101932bf414ad6da1aa7bc746c8dc45df92d1ac51c2d084f136bc"),
        ("p521", "bafee3c2c09744479e55662e08e3a6049f279d18b0afb072e74b0246a3a431b1"),
    ]) func fingerprintIsThatOfThePEMFile(name: String, fingerprint: String) throws {
        let path = Fixtures.path("signatures/\(name).pub.pem")
        let key = try VerificationKey.read(path: path)
        #expect(key.fingerprint == fingerprint)
        #expect(try Array((key.pem + "\n").utf8) == Fixtures.bytes("signatures/\(name).pub.pem"))
    }

    /// A P-256 key in the forms of `openssl ecparam -genkey`, with and without the curve before it, and `genpkey`.
    @Test func formsOfPrivateKeys() throws {
        let sec1 = """
            -----BEGIN EC PRIVATE KEY-----
            MHcCAQEEIEX9iNTRKdt/8M5yIECEExQPp4eug63frk4NNvB2KYD8oAoGCCqGSM49
            AwEHoUQDQgAEFSFkvmboYa6H0I2Yi+M1aFyHYGAvaBqnqFYwmPMb9fJBh8L9mScU
            mqbpn2j6nnIUSqY/dwCLp8qlF2CXDQnL5Q==
            -----END EC PRIVATE KEY-----
            """
        let parameters = """
            -----BEGIN EC PARAMETERS-----
            BggqhkjOPQMBBw==
            -----END EC PARAMETERS-----
            """
        let pkcs8 = """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgRf2I1NEp23/wznIg
            QIQTFA+nh66Drd+uTg028HYpgPyhRANCAAQVIWS+ZuhhrofQjZiL4zVoXIdgYC9o
            GqeoVjCY8xv18kGHwv2ZJxSapumfaPqechRKpj93AIunyqUXYJcNCcvl
            -----END PRIVATE KEY-----
            """
        let fingerprints = try [sec1, parameters + "\n" + sec1 + "\n", pkcs8, "Key of a test\r\n" + pkcs8].map {
            try SigningKey(pem: $0).verificationKey.fingerprint
        }
        #expect(Set(fingerprints) == ["519ab2a36a30980dac537f98ad699447ecf073c54d75827a86aafa43c85f97e0"])
    }

    @Test(arguments: [
        (P256.Signing.PrivateKey().pemRepresentation, P256.Signing.PrivateKey().publicKey.pemRepresentation),
        (P384.Signing.PrivateKey().pemRepresentation, P384.Signing.PrivateKey().publicKey.pemRepresentation),
        (P521.Signing.PrivateKey().pemRepresentation, P521.Signing.PrivateKey().publicKey.pemRepresentation),
    ]) func signsForItsOtherHalfOnly(own: String, other: String) throws {
        let key = try SigningKey(pem: own)
        let bundle = try SignedFiles(folder: "m", files: [], ignored: []).signed(with: key)
        #expect(bundle.isSigned(by: key.verificationKey))
        #expect(try !bundle.isSigned(by: VerificationKey(pem: other)))
    }

    static let ed25519 = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
        -----END PRIVATE KEY-----
        """
    static let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIHsMFcG\n-----END ENCRYPTED PRIVATE KEY-----"
    static let encryptedOld = """
        -----BEGIN EC PRIVATE KEY-----
        Proc-Type: 4,ENCRYPTED
        DEK-Info: AES-256-CBC,0123456789ABCDEF0123456789ABCDEF

        AAAA
        -----END EC PRIVATE KEY-----
        """
    static let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"

    @Test(arguments: [
        (encrypted, "is encrypted", QuernError.Code.unsupported), (encryptedOld, "is encrypted", .unsupported),
        (ed25519, "P-256", .unsupported), (certificate, "no private key", .invalidInput),
        (P256.Signing.PrivateKey().publicKey.pemRepresentation, "no private key", .invalidInput),
        ("", "no key", .invalidInput), ("-----BEGIN EC PRIVATE KEY-----\nAAAA", "no key", .invalidInput),
        ("-----BEGIN EC PRIVATE KEY-----\n-----END EC PRIVATE KEY-----", "P-256", .unsupported),
    ]) func privateKeysThatAreRefused(pem: String, words: String, code: QuernError.Code) {
        let error = #expect(throws: QuernError.self) { try SigningKey(pem: pem) }
        #expect(error?.code == code)
        #expect(error?.message.contains(words) == true, "\(String(describing: error))")
        #expect(error?.remedy.isEmpty == false)
    }

    @Test(arguments: [
        (P256.Signing.PrivateKey().pemRepresentation, "Verify with the public one"),
        (certificate, "openssl x509"), ("nothing", "-----BEGIN"),
        ("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----", "ecparam"),
    ]) func publicKeysThatAreRefused(pem: String, remedy: String) {
        let error = #expect(throws: QuernError.self) { try VerificationKey(pem: pem) }
        #expect(error?.remedy.contains(remedy) == true, "\(String(describing: error))")
    }

    @Test(arguments: [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o666, true)])
    func permissionsOfTheFileAreTold(mode: Int, exposed: Bool) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(P256.Signing.PrivateKey().pemRepresentation, to: "key.pem")
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        #expect(try SigningKey.read(path: path).isExposed == exposed)
    }

    @Test func filesThatAreNoKeys() throws {
        let folder = try TemporaryFolder()
        #expect(throws: QuernError.self) { try SigningKey.read(path: folder.path) }
        let large = try folder.write([UInt8](repeating: 0, count: 100_000), to: "large")
        #expect(throws: QuernError.self) { try SigningKey.read(path: large) }
        let error = #expect(throws: QuernError.self) { try VerificationKey.read(path: folder.path("none")) }
        #expect(error?.code == .notFound)
    }
}
