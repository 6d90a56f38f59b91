import QuernFormats
import QuernJobs
import QuernStore

extension SourceModel {
    /// A Hugging Face checkpoint folder as the GGUF it would be converted to.
    static func checkpoint(path: String) throws -> SourceModel {
        do {
            return try checkpoint(try Checkpoint.open(path: path))
        } catch let error as QuernError where !error.location.hasPrefix(path) {
            throw error.located(in: path)
        }
    }

    private static func checkpoint(_ checkpoint: Checkpoint) throws -> SourceModel {
        if let method = ModelConfig.present(checkpoint.config, "quantization_config")?.object?["quant_method"]?.string {
            throw QuernError(
                .unsupported, "the weights are quantized already (\(method.quotedForMessage))", at: "config.json",
                remedy: "Take the checkpoint it was made from")
        }
        let family = try Family.of(checkpoint.config)
        let config = try ModelConfig(fields: checkpoint.config, defaults: family.defaults)

        var blobs: [Digest: [UInt8]] = [:]
        var tensors = try extraTensors(of: family, config: config, blobs: &blobs)
        tensors += try TensorMapping(family: family, config: config).tensors(of: checkpoint.shards.map(\.header))

        let general = GeneralKeys(
            folderName: checkpoint.name, config: checkpoint.config,
            // Neither takes part in the computation: where they cannot be read, the model goes without.
            generation: (try? checkpoint.json("generation_config.json")) ?? JSONObject(),
            card: (try? checkpoint.text("README.md")).map(ModelCard.init(readme:)) ?? .empty,
            count: SizeLabel.count(tensors))
        var metadata = try general.keys(architecture: family.architecture)
        metadata += ArchitectureKeys.base(config, architecture: family.architecture, fileType: fileType(tensors))
        metadata += family.extraKeys(config).map { ("\(family.architecture).\($0.key)", $0.value) }
        metadata.append(("general.quantization_version", .uint32(2)))
        metadata += try TokenizerKeys.keys(of: checkpoint, family: family, config: config)

        return SourceModel(
            name: checkpoint.name, architecture: family.architecture, metadata: metadata, tensors: tensors,
            files: checkpoint.shards.map { SourceFile($0.file) }, blobs: blobs)
    }

    /// What the checkpoint has as settings and the GGUF as tensors.
    private static func extraTensors(
        of family: Family, config: ModelConfig, blobs: inout [Digest: [UInt8]]
    ) throws -> [SourceTensor] {
        guard case .llama3(let scaling) = config.rope.scaling else { return [] }
        guard family.hasRopeFactors else {
            throw QuernError(
                .unsupported, "RoPE scaling of type 'llama3' does not go with \(family.className)", at: "config.json")
        }
        let factors = RopeFactors.llama3(scaling, theta: config.rope.theta, headSize: config.headSize)
        let bytes = factors.flatMap { factor in withUnsafeBytes(of: factor.bitPattern.littleEndian, Array.init) }
        let digest = Digest(of: bytes)
        blobs[digest] = bytes
        return [
            SourceTensor(
                name: "rope_freqs.weight", shape: [factors.count], type: .f32,
                extents: [Extent(origin: .blob(digest), offset: 0, length: UInt64(bytes.count))], fixedType: .f32)
        ]
    }

    /// `general.file_type` of the source itself: of the type that most elements have.
    private static func fileType(_ tensors: [SourceTensor]) -> UInt32 {
        var elements: [ElementType: Int] = [:]
        for tensor in tensors { elements[tensor.type, default: 0] += tensor.elements }
        let ids: [(ElementType, UInt32)] = [(.bf16, 32), (.f16, 1), (.f32, 0)]
        return ids.max { elements[$0.0, default: 0] < elements[$1.0, default: 0] }?.1 ?? 0
    }
}
