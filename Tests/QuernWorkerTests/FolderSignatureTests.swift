import Crypto
import Foundation
import QuernFormats
import QuernJobs
import QuernStore
import QuernWorker
import TestSupport
import Testing

/// Folders that are signed: every change to one is found, whoever signed it.
@Suite struct FolderSignatureTests {
    private let bench: Workbench
    private let key: SigningKey
    private let other: SigningKey

    init() async throws {
        bench = try Workbench()
        let pipeline = try await Pipeline(bench, blobs: bench.blobs)
        try await bench.worker(MemoryService(pipeline.items)).run()
        key = try SigningKey(pem: P256.Signing.PrivateKey().pemRepresentation)
        other = try SigningKey(pem: P384.Signing.PrivateKey().pemRepresentation)
    }

    private func verify(by key: SigningKey? = nil, path: String? = nil) throws -> VerificationReport {
        try Verifier.verify(
            folder: bench.output,
            signature: ExpectedSignature(by: (key ?? self.key).verificationKey, path: path))
    }

    private func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(bench.output)/\(name)"))
    }

    @Test func signedFolderPasses() throws {
        let names = try FileManager.default.subpathsOfDirectory(atPath: bench.output)
        let signed = try FolderSigner.sign(folder: bench.output, with: key)
        #expect(signed.passed && signed.signedBy == key.verificationKey.fingerprint)
        let report = try verify()
        #expect(report.findings == [])
        #expect(report.signedBy == key.verificationKey.fingerprint)
        #expect(report.files == names.count)
        // Each byte is read once.
        let bytes = try names.reduce(0) {
            try $0 + Data(contentsOf: URL(fileURLWithPath: "\(bench.output)/\($1)")).count
        }
        #expect(report.bytes == UInt64(bytes))
        #expect(signed.bytes == report.bytes)
        // Nothing that stands beside the manifest changes what is found without a key.
        #expect(try Verifier.verify(folder: bench.output).passed)
    }

    @Test func signingAgainTakesThePlaceOfTheSignature() throws {
        for key in [key, other, key] { #expect(try FolderSigner.sign(folder: bench.output, with: key).passed) }
        #expect(try verify().passed)
        #expect(try verify(by: other).findings.map(\.found) == ["by another key"])
    }

    @Test func signatureMayLieElsewhere() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("release.sig")
        #expect(try FolderSigner.sign(folder: bench.output + "/", with: key, path: path).passed)
        #expect(try verify(path: path).passed)
        #expect(try verify().findings.map(\.found) == ["missing: the folder is not signed"])
        // Within the folder under another name it is no part of what is signed, either.
        let inside = "\(bench.output)/release.sig"
        #expect(try FolderSigner.sign(folder: bench.output, with: key, path: inside).passed)
        #expect(try verify(path: inside).passed)
        #expect(try verify(path: path).findings.map(\.file) == ["release.sig"])
    }

    @Test(arguments: [
        ("manifest.json", "signed sha256"), ("m-Q4_K_M.gguf", "sha256"), ("README.md", "signed sha256"),
    ]) func changedFileIsFound(name: String, what: String) throws {
        try write("about", to: "README.md")
        #expect(try FolderSigner.sign(folder: bench.output, with: key).passed)
        let url = URL(fileURLWithPath: "\(bench.output)/\(name)")
        var data = try Data(contentsOf: url)
        // The last byte of a manifest is a line end, another white space leaves it readable.
        data[data.count - 1] = name == "manifest.json" ? UInt8(ascii: " ") : data[data.count - 1] ^ 1
        try data.write(to: url)
        let report = try verify()
        #expect(report.findings.contains { $0.file == name && $0.what == what })
        #expect(report.findings.contains { $0.file == name && $0.what == "signed sha256" })
    }

    @Test(arguments: ["manifest.json", "m-Q4_K_M.gguf", "README.md"]) func missingFileIsFound(name: String) throws {
        try write("about", to: "README.md")
        #expect(try FolderSigner.sign(folder: bench.output, with: key).passed)
        try FileManager.default.removeItem(atPath: "\(bench.output)/\(name)")
        #expect(try verify().findings.contains { $0.file == name && $0.found == "missing" })
    }

    @Test func whatWasNotSignedIsFound() throws {
        #expect(try FolderSigner.sign(folder: bench.output, with: key).passed)
        try write("print()", to: "modeling.py")
        try write("x", to: ".hidden")
        let link = "\(bench.output)/link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "manifest.json")
        let git = "\(bench.output)/.git"
        try FileManager.default.createDirectory(atPath: git, withIntermediateDirectories: true)
        try write("x", to: ".git/config")
        #expect(
            try verify().findings.map { "\($0.file) \($0.found)" } == [
                ".hidden not signed", "link a symbolic link", "modeling.py not signed",
            ])
    }

    @Test func nameThatIsNoTextIsFound() throws {
        #expect(try FolderSigner.sign(folder: bench.output, with: key).passed)
        let path = Array("\(bench.output)/".utf8CString.dropLast()) + [CChar(bitPattern: 0xFF), 0]
        let file = try #require(fopen(path, "w"))
        fclose(file)
        #expect(try verify().findings.map(\.what) == ["kind"])
    }

    @Test func brokenFolderIsNotSigned() throws {
        try write("no GGUF", to: "m-Q4_K_M.gguf")
        let report = try FolderSigner.sign(folder: bench.output, with: key)
        #expect(!report.passed && report.signedBy == nil)
        #expect(!FileManager.default.fileExists(atPath: "\(bench.output)/model.sig"))
    }

    @Test(arguments: ["m.gguf.partial-0123456789abcdef", "link"]) func whatCannotBeSignedIsNamed(name: String) throws {
        let path = "\(bench.output)/\(name)"
        if name == "link" {
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "manifest.json")
        } else {
            try write("", to: name)
        }
        let error = #expect(throws: QuernError.self) { try FolderSigner.sign(folder: bench.output, with: key) }
        #expect(error?.location == path)
    }

    @Test(arguments: ["", "{}", "[]", "x", "{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\"}"])
    func malformedSignatureIsAFinding(text: String) throws {
        try write(text, to: "model.sig")
        let report = try verify()
        #expect(report.findings.map(\.file) == ["model.sig"] && report.signedBy == nil)
        #expect(report.findings.first?.found.hasPrefix("no signature: ") == true)
    }

    /// What model_signing has signed, where there is no manifest of ours.
    @Test(arguments: ["p256", "p384", "p521"]) func folderOfModelSigningPasses(name: String) throws {
        let key = try VerificationKey.read(path: Fixtures.path("signatures/\(name).pub.pem"))
        let expected = ExpectedSignature(by: key, path: Fixtures.path("signatures/\(name).sig"))
        let folder = try TemporaryFolder()
        let model = folder.path("renamed")
        try FileManager.default.copyItem(atPath: Fixtures.path("signatures/model"), toPath: model)
        #expect(
            try Verifier.verify(folder: model, signature: expected)
                == VerificationReport(findings: [], files: 3, tensors: 0, bytes: 308, signedBy: key.fingerprint))
        try FileManager.default.removeItem(atPath: "\(model)/sub/weights.bin")
        try folder.write("{}", to: "renamed/config.json")
        try folder.write("", to: "renamed/sub/more")
        #expect(
            try Verifier.verify(folder: model, signature: expected).findings.map { "\($0.file) \($0.what)" } == [
                "config.json signed sha256", "sub/weights.bin signed file", "sub/more file",
            ])
    }

    @Test func unsignedFolderWithoutManifestIsNotFound() throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: QuernError.self) {
            try Verifier.verify(
                folder: folder.path, signature: ExpectedSignature(by: key.verificationKey))
        }
        #expect(error?.code == .notFound)
    }
}
