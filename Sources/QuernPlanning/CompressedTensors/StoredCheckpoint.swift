import QuernFormats
import QuernStore

/// A checkpoint folder as it stands: the tensors of its shards, and the files that a copy of it needs. Of any
/// architecture.
public struct StoredCheckpoint: Sendable {
    struct Tensor: Sendable {
        let stored: SafetensorsTensor
        /// Index into `files`.
        let file: Int

        var name: String { stored.name }

        /// As the encoders read it: rows of numbers, or of bytes where GGUF has no such type; nil where there are none.
        var source: SourceTensor? {
            guard stored.length > 0 else { return nil }
            let shape: [Int]
            let type: ElementType
            if let element = stored.type.elementType {
                type = element
                shape = stored.shape.isEmpty ? [1] : stored.shape.reversed()
            } else {
                type = .i8
                shape = [Int(clamping: stored.length)]
            }
            return SourceTensor(
                name: stored.name, shape: shape, type: type,
                extents: [Extent(origin: .file(file), offset: stored.offset, length: stored.length)])
        }
    }

    let name: String
    /// In the order of the shards and of their bytes.
    let tensors: [Tensor]
    let files: [SourceFile]
    /// The text of config.json, an object.
    let config: String
    /// Tokenizer, templates, licences: by name, in the order of their names.
    let sideFiles: [(name: String, bytes: [UInt8])]
    /// What the authors say of their licence, by the keys of a model card.
    let license: [(key: String, value: String)]

    private static let kinds = [".json", ".txt", ".model", ".jinja", ".py", ".tiktoken"]
    private static let notices = ["license", "notice", "use_policy"]
    /// Written anew.
    private static let replaced = ["config.json", "README.md"]

    /// Reads headers and small files; no tensor bytes.
    /// - Throws: `QuernError` as `Checkpoint.open`; `.unsupported` where the weights are quantized already.
    public static func open(path: String) throws -> StoredCheckpoint {
        let checkpoint = try Checkpoint.open(path: path)
        if let method = checkpoint.config["quantization_config"]?.object?["quant_method"]?.string {
            throw QuernError(
                .unsupported, "the weights are quantized already (\(method.quotedForMessage))",
                at: "\(path)/config.json", remedy: "Take the checkpoint it was made from")
        }
        let names = try checkpoint.fileNames().filter { name in
            let lower = name.lowercased()
            return !replaced.contains(name) && !lower.hasSuffix(".safetensors.index.json") && !name.hasPrefix(".")
                && (kinds.contains(where: lower.hasSuffix) || notices.contains(where: lower.hasPrefix))
        }
        let card = (try? checkpoint.text("README.md")).map(ModelCard.init(readme:)) ?? .empty
        return StoredCheckpoint(
            name: checkpoint.name,
            tensors: checkpoint.shards.enumerated().flatMap { file, shard in
                shard.header.tensors.map { Tensor(stored: $0, file: file) }
            },
            files: checkpoint.shards.map { SourceFile($0.file) },
            config: try checkpoint.text("config.json") ?? "{}",
            sideFiles: try names.compactMap { name in try checkpoint.bytes(name).map { (name, $0) } },
            license: ["license", "license_name", "license_link"].compactMap { key in card.text(key).map { (key, $0) } })
    }
}
