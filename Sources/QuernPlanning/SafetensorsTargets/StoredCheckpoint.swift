import QuernFormats
import QuernStore

/// A checkpoint folder as it stands: the tensors of its shards, and the files that a copy of it needs. Of any
/// architecture.
public struct StoredCheckpoint: Sendable {
    struct Tensor: Sendable {
        let stored: SafetensorsTensor
        /// Its files mean `files`.
        let origin: Extent.Origin
        /// Nil for tensors that the checkpoint has under this name.
        var cut: Cut?

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
                extents: [
                    Extent(origin: origin, offset: stored.offset, length: stored.length, strides: cut?.strides)
                ])
        }
    }

    /// Where a matrix lies that is a part of another tensor.
    struct Cut: Sendable {
        /// Index of that tensor.
        let whole: Int
        /// Nil where its bytes are neighbours.
        let strides: Strides?
    }

    let name: String
    /// In the order of the shards and of their bytes; then what some of them may be cut into.
    let tensors: [Tensor]
    /// Lists of experts that are kept in tensors of three dimensions and cannot be cut into layers.
    let uncutExperts: [String]
    let files: [SourceFile]
    /// The text of config.json, an object that does not speak of quantization.
    let config: String
    /// Tokenizer, templates, licences: by name, in the order of their names.
    let sideFiles: [(name: String, bytes: [UInt8])]
    /// What the authors say of their licence, by the keys of a model card.
    let license: [(key: String, value: String)]

    private static let kinds = [".json", ".txt", ".model", ".jinja", ".py", ".tiktoken"]
    private static let notices = ["license", "notice", "use_policy"]
    /// Written anew.
    private static let replaced = ["config.json", "README.md"]

    /// Reads what `CheckpointTensors` does, and small files. Quantized layers have plain values, of the model's own
    /// type.
    /// - Parameter allowRequantize: whether weights may be rounded for a second time.
    /// - Throws: `QuernError` as `Checkpoint.open` and `CheckpointTensors`; `.unsupported` where the weights are
    ///   quantized in a way that cannot be read, `.usage` where they are quantized and that is not allowed.
    public static func open(path: String, allowRequantize: Bool = false) throws -> StoredCheckpoint {
        try open(Checkpoint.open(path: path), allowRequantize: allowRequantize)
    }

    package static func open(_ checkpoint: Checkpoint, allowRequantize: Bool = false) throws -> StoredCheckpoint {
        let path = checkpoint.path
        let stored = try CheckpointTensors(checkpoint, values: modelType(checkpoint.config))
        if let method = StoredQuantization.method(of: checkpoint.config) {
            let message = "the weights are quantized already (\(method.quotedForMessage))"
            let remedy = "Take the checkpoint it was made from"
            guard let quantization = stored.quantization else {
                throw QuernError(.unsupported, message, at: "\(path)/config.json", remedy: remedy)
            }
            guard quantization.isOriginal || allowRequantize else {
                throw QuernError(
                    .usage, "\(message), and rounding them again loses more", at: "\(path)/config.json",
                    remedy: remedy + ", or say --allow-requantize")
            }
        }
        let names = try checkpoint.fileNames().filter { name in
            let lower = name.lowercased()
            return !replaced.contains(name) && !lower.hasSuffix(".safetensors.index.json") && !name.hasPrefix(".")
                && (kinds.contains(where: lower.hasSuffix) || notices.contains(where: lower.hasPrefix))
        }
        let card = (try? checkpoint.text("README.md")).map(ModelCard.init(readme:)) ?? .empty
        let tensors = stored.tensors.map { Tensor(stored: $0.tensor, origin: $0.origin) }
        let experts = FusedExperts(tensors, model: checkpoint.config["model_type"]?.string)
        let taken = Set(tensors.map(\.name))
        if let name = experts.parts.values.joined().map(\.name).filter(taken.contains).min() {
            throw QuernError(
                .invalidInput, "experts are there twice: in a tensor of their own, and with others in one",
                at: "\(path): tensor \(name.quotedForMessage)")
        }
        return StoredCheckpoint(
            name: checkpoint.name,
            tensors: tensors + experts.parts.sorted { $0.key < $1.key }.flatMap(\.value),
            uncutExperts: experts.kept,
            files: checkpoint.shards.map { SourceFile($0.file) },
            config: try ConfigText.removing("quantization_config", from: try checkpoint.text("config.json") ?? "{}"),
            sideFiles: try names.compactMap { name in try checkpoint.bytes(name).map { (name, $0) } },
            license: ["license", "license_name", "license_link"].compactMap { key in card.text(key).map { (key, $0) } })
    }

    /// What its weights had been before they were quantized; F32, in which nothing is lost, where nobody says so.
    private static func modelType(_ config: JSONObject) -> SafetensorsType {
        let text = config["text_config"]?.object
        let names = ["dtype", "torch_dtype"].flatMap { [config[$0]?.string, text?[$0]?.string] }.compactMap { $0 }
        return switch names.first {
        case "bfloat16": .bf16
        case "float16": .f16
        default: .f32
        }
    }
}
