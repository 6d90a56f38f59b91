/// A Hugging Face checkpoint folder: config.json, safetensors files, tokenizer files.
public struct Checkpoint: Sendable {
    /// Of the folder, or of the repository for a snapshot in a Hugging Face cache.
    public let name: String
    /// As given, or a URL for people to read.
    public let path: String
    /// The safetensors files in the order of their names.
    public let shards: [(file: any CheckpointFile, header: SafetensorsHeader)]
    /// config.json.
    public let config: JSONObject
    private let folder: any CheckpointFolder

    /// Opens the folder, which may be a URL, and reads and checks all headers; no tensor bytes are read.
    /// - Throws: `QuernError` naming the file, and the tensor where it is about one.
    public static func open(path: String) throws -> Checkpoint { try open(SourcePlace.folder(path)) }

    package static func open(_ folder: any CheckpointFolder) throws -> Checkpoint {
        let path = folder.path
        guard let config = try folder.json("config.json") else {
            throw QuernError(
                .notFound, "there is no config.json", at: path,
                remedy:
                    "A checkpoint has config.json, model.safetensors or an index with shards, and tokenizer files"
            )
        }
        var shards: [(file: any CheckpointFile, header: SafetensorsHeader)] = []
        let index = try ShardIndex.read(from: folder)
        let files = try (index?.fileNames ?? [singleFile(in: folder)]).map { fileName in
            guard let file = try folder.open(fileName) else {
                throw QuernError(
                    .notFound, "\(ShardIndex.fileName) names the file \(fileName.quotedForMessage), which is not there",
                    at: path, remedy: "The download is incomplete: fetch the missing file")
            }
            return file
        }
        // Most headers are not longer: those of many shards come together.
        for file in files { file.willRead(0..<min(file.size, 256 << 10), soon: true) }
        for file in files { shards.append((file, try SafetensorsHeader.read(from: file))) }
        try index?.check(against: shards.map(\.header), in: path)
        return Checkpoint(name: folder.name, path: path, shards: shards, config: config, folder: folder)
    }

    /// Names of all entries of the folder, in the order of their bytes.
    public func fileNames() throws -> [String] { try folder.names() }

    /// The object in a JSON file of the folder; nil where there is no such file.
    /// - Throws: `QuernError` `.invalidInput` where it is no JSON object, and for names that lead out of the folder.
    public func json(_ fileName: String) throws -> JSONObject? { try folder.json(fileName) }

    /// The text of a file of the folder; nil where there is no such file.
    /// - Throws: `QuernError` `.invalidInput` where it is no UTF-8, and for names that lead out of the folder.
    public func text(_ fileName: String) throws -> String? {
        guard let bytes = try folder.bytes(fileName) else { return nil }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw QuernError(.invalidInput, "no valid UTF-8", at: "\(path)/\(fileName)")
        }
        return text
    }

    /// The bytes of a file of the folder, such as tokenizer.model; nil where there is no such file.
    /// - Throws: `QuernError` `.invalidInput` above 256 MiB, and for names that lead out of the folder.
    public func bytes(_ fileName: String) throws -> [UInt8]? { try folder.bytes(fileName) }

    private static func singleFile(in folder: any CheckpointFolder) throws -> String {
        let names = try folder.names()
        if names.contains(ShardIndex.singleFileName) { return ShardIndex.singleFileName }
        if names.contains(where: { $0.hasSuffix(".safetensors") }) {
            throw QuernError(
                .notFound,
                "there are safetensors files, but neither \(ShardIndex.singleFileName) nor \(ShardIndex.fileName)",
                at: folder.path, remedy: "Fetch the index, or rename a single file")
        }
        if names.contains(where: { $0.hasSuffix(".bin") || $0.hasSuffix(".pth") || $0.hasSuffix(".pt") }) {
            throw QuernError(
                .unsupported, "the weights are PyTorch pickles", at: folder.path,
                remedy: "Take the safetensors form of this checkpoint, or convert it")
        }
        throw QuernError(
            .notFound, "there is no \(ShardIndex.singleFileName) and no \(ShardIndex.fileName)", at: folder.path)
    }
}
