import ArgumentParser
import Foundation
import QuernClient
import QuernFormats
import QuernJobs
import Synchronization

struct DownloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "download",
        abstract: "Fetch a finished job's artifacts and manifest; goes on where an earlier download stopped.",
        discussion: "Example: quern download 01jd3k9x --output ./out")

    @Option(name: .shortAndLong, help: "Folder to write to.", completion: .directory) var output: String
    @OptionGroup var target: JobTarget

    func run() async throws {
        let folder = RecipeOptions.absolute(output, from: FileManager.default.currentDirectoryPath)
        let (id, options) = (target.id, target.remote)
        let bar = DownloadBar(json: options.json)
        try await Interruption.watched {
            let client = try options.client()
            try await client.download(job: id, toFolder: folder) { bar.show($0, received: $1, total: $2) }
        }
        bar.finish()
    }
}

/// Progress of files as they come.
private final class DownloadBar: Sendable {
    private let json: Bool
    private let finished = Mutex<Set<String>>([])

    init(json: Bool) { self.json = json }

    func show(_ name: String, received: UInt64, total: UInt64) {
        if Console.isTerminal, !json {
            let percent = total > 0 ? received * 100 / total : 100
            Console.draw("\r\u{1B}[K\(name) \(percent)% of \(Console.size(total))")
        }
        guard received == total, finished.withLock({ $0.insert(name).inserted }) else { return }
        finish()
        if json { try? Console.json(["file": name]) } else { Console.line("\(name)  \(Console.size(total))") }
    }

    func finish() {
        if Console.isTerminal, !json { Console.draw("\r\u{1B}[K") }
    }
}
