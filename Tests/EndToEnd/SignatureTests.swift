import Crypto
import Foundation
import TestSupport
import Testing

/// Signatures from the command line: who signed what, and what the exit status says.
@Suite struct SignatureTests {
    private let folder: TemporaryFolder
    private let key: String
    private let publicKey: String

    init() throws {
        folder = try TemporaryFolder()
        let pair = P256.Signing.PrivateKey()
        key = try folder.write(pair.pemRepresentation, to: "key.pem")
        publicKey = try folder.write(pair.publicKey.pemRepresentation, to: "key.pub.pem")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
    }

    private func quantize(_ more: [String]) async throws -> QuernProcess.Outcome {
        try await QuernProcess.run(
            ["quantize", Fixtures.path("reference/qwen3/checkpoint"), "--to", "Q8_0", "--output", folder.path("out")]
                + more)
    }

    private func verify(_ more: [String] = []) async throws -> QuernProcess.Outcome {
        try await QuernProcess.run(["verify", folder.path("out"), "--key", publicKey] + more)
    }

    @Test func quantizedFolderIsSigned() async throws {
        let made = try await quantize(["--sign-key", key])
        #expect(made.status == 0 && made.output.contains("/out/model.sig"), "\(made.errors)")
        #expect(!made.errors.contains("warning: \(key)"))
        let verified = try await verify()
        #expect(verified.status == 0 && verified.output.contains(", signed by the key "), "\(verified.output)")
        // The run is repeated, and finds everything there.
        let again = try await quantize(["--sign-key", key, "--json"])
        #expect(again.status == 0 && again.output.contains("\"signed_by\":\""), "\(again.output)")

        try folder.write("x", to: "out/extra.bin")
        let extra = try await verify()
        #expect(extra.status == 6)
        #expect(extra.output == "extra.bin: file is not signed, and should be absent\n1 finding\n")
    }

    @Test func folderIsSignedAfterwards() async throws {
        #expect(try await quantize(["--quiet"]).status == 0)
        let unsigned = try await verify()
        #expect(unsigned.status == 6)
        #expect(unsigned.output.contains("missing: the folder is not signed"), "\(unsigned.output)")

        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
        let signature = folder.path("release.sig")
        let arguments = ["sign", folder.path("out"), "--key", key, "--signature", signature]
        let signed = try await QuernProcess.run(arguments)
        #expect(signed.status == 0)
        #expect(
            signed.errors == "quern: warning: \(key): others can read the private key. Close it: chmod 600 \(key)\n")
        #expect(try await verify(["--signature", signature]).status == 0)

        let wrong = try folder.write(P256.Signing.PrivateKey().publicKey.pemRepresentation, to: "other.pem")
        let refused = try await QuernProcess.run([
            "verify", folder.path("out"), "--key", wrong, "--signature", signature,
        ])
        #expect(refused.status == 6 && refused.output.contains("by another key"), "\(refused.output)")
    }

    /// Before anything is made.
    @Test func keyIsLookedAtFirst() async throws {
        for (arguments, status, words) in [
            (["--sign-key", publicKey], Int32(1), "no private key"),
            (["--sign-key", folder.path("none.pem")], 1, "No such file"),
            (["--sign-key", key, "--state", folder.path("out/state")], 2, "outside of the output folder"),
        ] {
            let outcome = try await quantize(arguments)
            #expect(outcome.status == status && outcome.errors.contains(words), "\(outcome.errors)")
            #expect(outcome.errors.split(separator: "\n").count == 1)
        }
        #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
        let outcome = try await QuernProcess.run(["verify", folder.path, "--signature", "x"])
        #expect(outcome.status == 2 && outcome.errors.contains("--key"))
    }
}
