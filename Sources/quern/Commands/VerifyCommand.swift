import ArgumentParser
import Foundation
import QuernFormats
import QuernWorker

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check an output folder against its manifest, and its files against their formats.",
        discussion: "Example: quern verify ./out")

    @Argument(help: "A folder with a manifest.json.", completion: .directory) var folder: String
    @Flag(help: "Print one JSON object per line on standard output.") var json = false

    func run() async throws {
        let report = try Verifier.verify(folder: folder)
        if json {
            try Console.json(report)
        } else {
            for finding in report.findings { Console.line("\(finding)") }
            Console.line(
                report.findings.isEmpty
                    ? "ok: \(report.files) files, \(report.tensors) tensors, \(Console.size(report.bytes))"
                    : "\(report.findings.count) finding\(report.findings.count == 1 ? "" : "s")")
        }
        if !report.findings.isEmpty { throw ExitStatus.verificationFailed }
    }
}
