import ArgumentParser
import Foundation
import QuernFormats
import QuernStore
import QuernWorker

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check an output folder against its manifest, its files against their formats, and its signature.",
        discussion: """
            Example: quern verify ./out
                     quern verify ./out --key publisher.pub.pem

            With a key, every file must be signed with it, and no other file may be there. Such a folder need not be of \
            Quern's making: signatures are those of OpenSSF model signing, version 1.0.
            """)

    @Argument(help: "A folder with a manifest.json, or, with --key, a signed one.", completion: .directory)
    var folder: String

    @Option(help: "The public key of whoever signed it, as PEM.", completion: .file()) var key: String?

    @Option(help: "The signature; model.sig in the folder otherwise.", completion: .file())
    var signature: String?

    @Flag(help: "Print one JSON object per line on standard output.") var json = false

    func run() async throws {
        guard key != nil || signature == nil else {
            throw QuernError(
                .usage, "a signature is checked with the public key of whoever made it", at: "--signature",
                remedy: "Name the key with --key")
        }
        let expected = try key.map { ExpectedSignature(by: try VerificationKey.read(path: $0), path: signature) }
        let bar = ReadingBar(shows: !json)
        let report = try Verifier.verify(folder: folder, signature: expected) { bar.show($0, of: $1) }
        bar.finish()
        try Self.tell(report, json: json)
    }

    /// Prints what was found.
    /// - Throws: `ExitStatus.verificationFailed` where that is something.
    static func tell(_ report: VerificationReport, json: Bool) throws {
        if json {
            try Console.json(report)
        } else {
            for finding in report.findings { Console.line("\(finding)") }
            let signer = report.signedBy.map { ", signed by the key \($0)" } ?? ""
            Console.line(
                report.findings.isEmpty
                    ? "ok: \(report.files) files, \(report.tensors) tensors, \(Console.size(report.bytes))\(signer)"
                    : "\(report.findings.count) finding\(report.findings.count == 1 ? "" : "s")")
        }
        if !report.findings.isEmpty { throw ExitStatus.verificationFailed }
    }
}
