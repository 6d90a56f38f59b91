import ArgumentParser
import Foundation
import QuernFormats
import QuernJobs
import QuernStore
import QuernWorker

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Write report.html of an output folder again, from its manifest and results.",
        discussion: "Example: quern report ./out")

    @Argument(help: "A folder with a manifest.json.", completion: .directory) var folder: String

    func run() throws {
        let report = Report(manifest: try Manifest.read(folder: folder), results: try JobResults.read(folder: folder))
        try ArtifactFolder(root: folder).write(Array(report.html().utf8), as: Report.fileName)
        Console.line("\(folder)/\(Report.fileName)")
    }
}
