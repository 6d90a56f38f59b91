import QuernFormats
import QuernStore

/// From the tensors of a checkpoint to those of a GGUF: names, shapes, row order.
struct TensorMapping {
    private let config: ModelConfig
    private let globals: [String: TensorRule]
    private let layers: [String: TensorRule]
    private static let layerPrefix = "model.layers."

    init(family: Family, config: ModelConfig) {
        self.config = config
        globals = Dictionary(family.globalTensors.map { ($0.source, $0) }, uniquingKeysWith: { first, _ in first })
        layers = Dictionary(family.layerTensors.map { ($0.source, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// All tensors of the artifact, in the order of the shards.
    /// - Throws: for a tensor without a rule, one of the wrong shape or of a type that holds no plain numbers, one that
    ///   is there twice, and for one that is missing.
    func tensors(of headers: [SafetensorsHeader]) throws -> [SourceTensor] {
        var tensors: [SourceTensor] = []
        var found: Set<String> = []
        for (shard, header) in headers.enumerated() {
            for tensor in header.tensors where !TensorRules.isDroppable(tensor.name) {
                guard found.insert(tensor.name).inserted else {
                    throw fault(
                        "it is in two shards", tensor.name, remedy: "Remove the shard that does not belong here")
                }
                tensors.append(try map(tensor, shard: shard))
            }
        }
        try checkComplete(found)
        return tensors
    }

    private func map(_ tensor: SafetensorsTensor, shard: Int) throws -> SourceTensor {
        guard let (rule, target) = rule(for: tensor.name) else {
            throw QuernError(
                .unsupported, "this model class has no such tensor", at: "tensor \(tensor.name.quotedForMessage)",
                remedy: "Convert the checkpoint with a tool that knows it; a GGUF of any kind works as a source")
        }
        let shape = rule.shape.map { $0.size(config) }
        guard tensor.shape == shape else {
            throw fault(
                "its shape is \(tensor.shape), but config.json says \(shape)", tensor.name,
                remedy: "Take the config.json that belongs to these weights")
        }
        guard let type = tensor.type.elementType, [.f32, .f16, .bf16].contains(type) else {
            throw QuernError(
                .unsupported, "its element type is \(tensor.type.rawValue), not F32, F16 or BF16",
                at: "tensor \(tensor.name.quotedForMessage)", remedy: "Take a checkpoint that is not quantized")
        }
        let rowBytes = Int(tensor.length) / shape[0]
        return SourceTensor(
            name: target, shape: shape.reversed(), type: type,
            extents: [
                Extent(
                    origin: .file(shard), offset: tensor.offset, length: tensor.length,
                    strides: rule.interleaved ? .interleavedHalves(rowBytes: rowBytes, size: config.headSize) : nil)
            ],
            fixedType: TensorRules.staysF32(name: target, rank: shape.count) ? .f32 : nil)
    }

    /// The rule of a tensor, and its name in the GGUF.
    private func rule(for name: String) -> (rule: TensorRule, target: String)? {
        guard name.hasPrefix(Self.layerPrefix) else { return globals[name].map { ($0, $0.target) } }
        let rest = name.dropFirst(Self.layerPrefix.count)
        guard let dot = rest.firstIndex(of: "."), let layer = Int(rest[..<dot]), (0..<config.layers).contains(layer),
            String(layer) == rest[..<dot], let rule = layers[String(rest[rest.index(after: dot)...])]
        else { return nil }
        return (rule, "blk.\(layer).\(rule.target)")
    }

    private func checkComplete(_ found: Set<String>) throws {
        for rule in globals.values.sorted(by: { $0.source < $1.source }) where try isNeeded(rule) {
            guard found.contains(rule.source) else { throw missing(rule.source) }
        }
        let needed = try layers.values.filter(isNeeded).map(\.source).sorted()
        for layer in 0..<config.layers {
            for source in needed {
                let name = "\(Self.layerPrefix)\(layer).\(source)"
                guard found.contains(name) else { throw missing(name) }
            }
        }
    }

    private func isNeeded(_ rule: TensorRule) throws -> Bool {
        switch rule.presence {
        case .always: true
        case .ifSet(let field): try config.flag(field) ?? false
        case .unlessTied: !config.tiedHead
        }
    }

    private func missing(_ name: String) -> QuernError {
        fault(
            "the checkpoint lacks it", name, remedy: "The download is incomplete, or config.json belongs to another one"
        )
    }

    private func fault(_ message: String, _ tensor: String, remedy: String) -> QuernError {
        QuernError(.invalidInput, message, at: "tensor \(tensor.quotedForMessage)", remedy: remedy)
    }
}
