import ArgumentParser
import Foundation
import QuernClient
import QuernFormats
import QuernJobs
import QuernWorker

struct DownloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "download",
        abstract: "Fetch a finished job's artifacts and manifest; goes on where an earlier download stopped.",
        discussion: "Example: quern download 01jd3k9x --output ./out")

    @Argument(help: "A job id.") var job: String
    @Option(name: .shortAndLong, help: "Folder to write to.", completion: .directory) var output: String
    @OptionGroup var remote: RemoteOptions

    func run() async throws {
        let folder = RecipeOptions.absolute(output, from: FileManager.default.currentDirectoryPath)
        let options = remote
        let id = JobID(rawValue: job)
        let files = try await Interruption.watched {
            try await options.withClient { try await $0.download(id, to: folder) }
        }
        for file in files {
            if options.json { try Console.json(["file": file]) } else { Console.line(file) }
        }
    }
}
