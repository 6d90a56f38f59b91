import QuernFormats
import QuernStore

extension SourceModel {
    /// A Hugging Face checkpoint folder as the GGUF it would be converted to.
    static func checkpoint(path: String) throws -> SourceModel {
        do {
            return try checkpoint(try Checkpoint.open(path: path))
        } catch let error as QuernError where !error.location.hasPrefix(path.prefix { $0 != "?" }) {
            throw error.located(in: path)
        }
    }

    package static func checkpoint(_ checkpoint: Checkpoint) throws -> SourceModel {
        let family = try Family.of(checkpoint.config)
        let stored = try CheckpointTensors(checkpoint)
        let isQuantized = try checkQuantization(checkpoint.config, stored.quantization, of: family)
        let config = try ModelConfig(fields: try TextConfig.fields(checkpoint.config), defaults: family.defaults)

        var blobs: [Digest: [UInt8]] = [:]
        var tensors = try computedTensors(of: family, config: config, blobs: &blobs)
        tensors = try TensorMapping(family: family, config: config)
            .tensors(of: stored.tensors, after: tensors)

        let general = GeneralKeys(
            folderName: checkpoint.name, config: checkpoint.config,
            // Neither takes part in the computation: where they cannot be read, the model goes without.
            generation: (try? checkpoint.json("generation_config.json")) ?? JSONObject(),
            card: (try? checkpoint.text("README.md")).map(ModelCard.init(readme:)) ?? .empty,
            count: SizeLabel.count(tensors))
        func prefixed(_ keys: Family.Keys) -> Family.Keys {
            keys.map { ("\(family.architecture).\($0.key)", $0.value) }
        }
        var metadata = try general.keys(architecture: family.architecture)
        metadata.insert(contentsOf: prefixed(try family.leadingKeys(config)), at: 1)
        metadata += prefixed(try family.baseKeys(config))
        metadata.append(("general.file_type", .uint32(isQuantized ? Preset.mxfp4_moe.rawValue : fileType(tensors))))
        metadata += prefixed(try family.extraKeys(config))
        metadata.append(("general.quantization_version", .uint32(2)))
        metadata += try TokenizerKeys.keys(of: checkpoint, family: family, config: config)

        return SourceModel(
            name: checkpoint.name, architecture: family.architecture, metadata: metadata, tensors: tensors,
            files: checkpoint.shards.map { SourceFile($0.file) }, blobs: blobs, hints: try family.hints(config),
            quantizedAs: stored.quantization.flatMap { $0.isOriginal ? nil : $0.method })
    }

    /// - Returns: whether the checkpoint is quantized in a way that the family's GGUF takes over.
    private static func checkQuantization(
        _ config: JSONObject, _ read: StoredQuantization?, of family: Family
    ) throws -> Bool {
        guard read == nil, let method = StoredQuantization.method(of: config) else { return false }
        guard family.quantization.contains(method) else {
            throw QuernError(
                .unsupported, "the weights are quantized already (\(method.quotedForMessage))", at: "config.json",
                remedy: "Take the checkpoint it was made from")
        }
        return true
    }

    /// What the checkpoint has as settings and the GGUF as tensors.
    private static func computedTensors(
        of family: Family, config: ModelConfig, blobs: inout [Digest: [UInt8]]
    ) throws -> [SourceTensor] {
        let computed = try family.computedTensors(config)
        if computed.isEmpty, let type = config.rope.scaling.typeThatIsTensors {
            throw QuernError(
                .unsupported, "RoPE scaling of type '\(type)' does not go with \(family.className)", at: "config.json")
        }
        return computed.map { tensor in
            let bytes = tensor.values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) }
            let digest = Digest(of: bytes)
            blobs[digest] = bytes
            return SourceTensor(
                name: tensor.name, shape: [tensor.values.count], type: .f32,
                extents: [Extent(origin: .blob(digest), offset: 0, length: UInt64(bytes.count))], fixedType: .f32)
        }
    }

    /// `general.file_type` of the source itself: of the type that most elements have.
    private static func fileType(_ tensors: [SourceTensor]) -> UInt32 {
        var elements: [ElementType: Int] = [:]
        for tensor in tensors { elements[tensor.type, default: 0] += tensor.elements }
        let ids: [(ElementType, UInt32)] = [(.bf16, 32), (.f16, 1), (.f32, 0)]
        return ids.max { elements[$0.0, default: 0] < elements[$1.0, default: 0] }?.1 ?? 0
    }
}

extension RopeParameters.Scaling {
    /// The name of a scaling that a GGUF can only hold as tensors.
    fileprivate var typeThatIsTensors: String? {
        switch self {
        case .llama3: "llama3"
        case .longrope: "longrope"
        case .none, .linear, .yarn: nil
        }
    }
}
