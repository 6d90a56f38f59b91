import Foundation
import QuernFormats
import QuernJobs
import QuernStore

/// What makes two runs of `quern quantize` the same job: the recipe, the encoders, and the source's files as they are.
enum JobFingerprint {
    static func of(_ recipe: Recipe) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        var hasher = SHA256Hasher()
        hasher.update([UInt8](try encoder.encode(recipe)))
        for version in [EncoderVersion.reference, EncoderVersion.refined] { hasher.update([UInt8](version.utf8)) }
        for path in [
            recipe.source, recipe.imatrix, recipe.calibration?.text, recipe.sensitivity, recipe.evaluation?.text,
        ].compactMap(
            \.self)
        {
            for line in try states(of: path) { hasher.update([UInt8]((line + "\n").utf8)) }
        }
        return hasher.finish().hex
    }

    /// Name, size and modification time or version of a file, or of every file directly in a folder, sorted.
    private static func states(of path: String) throws -> [String] {
        if SourcePlace.isURL(path) {
            guard try SourcePlace.isFolder(path) else { return [try state(SourcePlace.file(path))] }
            let folder = try SourcePlace.folder(path)
            return try folder.names().compactMap { try folder.open($0).map(state) }
        }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return [] }
        let folder = isFolder.boolValue ? path : URL(fileURLWithPath: path).deletingLastPathComponent().path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let relevant =
            isFolder.boolValue ? names : splitSiblings(of: URL(fileURLWithPath: path).lastPathComponent, among: names)
        return relevant.sorted().compactMap { name in
            guard let file = try? FileByteSource(path: folder + "/" + name) else { return nil }
            return "\(name) \(file.size) \(file.modified)"
        }
    }

    private static func state(_ file: any CheckpointFile) -> String {
        "\(file.name) \(file.size) \(file.version ?? "")"
    }

    /// A file of a split set stands for the whole set: `x-00002-of-00003.gguf` for all of `x-*-of-00003.gguf`.
    private static func splitSiblings(of name: String, among names: [String]) -> [String] {
        guard let match = name.wholeMatch(of: /(.+)-\d{5}(-of-\d{5}\.gguf)/) else { return [name] }
        return names.filter { $0.hasPrefix(match.1 + "-") && $0.hasSuffix(match.2) }
    }
}
