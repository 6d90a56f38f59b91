import ArgumentParser
import QuernFormats

struct ImatrixMergeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Add up importance matrices of one model.",
        discussion: "Example: quern imatrix merge english.gguf code.gguf --output both.gguf")

    @Argument(help: "Importance matrix files, GGUF or legacy.", completion: .file())
    var files: [String]

    @Option(name: .shortAndLong, help: "The file to write.", completion: .file())
    var output: String

    @Option(help: "gguf, or dat for programs of before 2025.")
    var format: ImatrixForm = .gguf

    func run() throws {
        guard let first = files.first, files.count > 1 else {
            throw QuernError(.usage, "there is nothing to add up", remedy: "Name at least two files")
        }
        var sum = try ImatrixFile.read(path: first)
        for path in files.dropFirst() {
            let other = try ImatrixFile.read(path: path)
            do throws(QuernError) { try sum.add(other) } catch { throw error.located(in: path) }
        }
        try format.write(sum, to: output)
        Console.line("\(output)  \(sum.entries.count) tensors, \(sum.chunkCount) chunks")
    }
}
