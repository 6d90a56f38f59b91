import ArgumentParser
import Foundation
import QuernFormats

struct ImatrixCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "imatrix",
        abstract: "Compute, add up and look at importance matrices.",
        discussion: "Example: quern imatrix compute ./tiny-llama --text calibration.txt --output imatrix.gguf",
        subcommands: [ImatrixComputeCommand.self, ImatrixMergeCommand.self, ImatrixShowCommand.self])
}

/// The forms of an importance matrix file.
enum ImatrixForm: String, ExpressibleByArgument, CaseIterable {
    /// GGUF.
    case gguf
    /// What came before.
    case dat

    func write(_ file: ImatrixFile, to path: String) throws {
        let bytes = self == .gguf ? file.gguf() : file.legacy()
        try WholeFile.write(bytes, to: path)
    }
}

/// Files that are there whole or not at all.
enum WholeFile {
    static func write(_ bytes: [UInt8], to path: String) throws {
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw QuernError(
                .io, "cannot write the file: \(error.localizedDescription)", at: path,
                remedy: "Check the folder and the space on its disk")
        }
    }
}
