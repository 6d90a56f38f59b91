import Foundation
import QuernFormats

extension Tokenizer {
    /// Opens the tokenizer of a checkpoint folder (tokenizer.json, else tokenizer.model) or of a `.gguf`. Weights and
    /// config.json need not be there.
    /// - Throws: `QuernError` naming the file and the entry; `.unsupported` for kinds that are unknown.
    public static func open(path: String) throws -> Tokenizer {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw QuernError(.notFound, "there is no such file or folder", at: path, remedy: "Check the path")
        }
        guard isFolder.boolValue else {
            throw QuernError(.unsupported, "neither a folder nor a .gguf file", at: path)
        }
        return try checkpoint(try CheckpointFolder(path: path))
    }

    private static func checkpoint(_ folder: CheckpointFolder) throws -> Tokenizer {
        if let json = try folder.json("tokenizer.json") {
            do {
                return Tokenizer(try HubTokenizer(json))
            } catch let error as QuernError {
                throw error.located(in: "\(folder.path)/tokenizer.json")
            }
        }
        throw QuernError(
            .notFound, "there is neither tokenizer.json nor tokenizer.model", at: folder.path,
            remedy: "Fetch the tokenizer files of the checkpoint")
    }
}
