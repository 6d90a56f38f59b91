import QuernFormats
import QuernStore

/// A tensor of a checkpoint and where its bytes are: in a shard, or computed of quantized weights.
struct StoredTensor: Sendable {
    let tensor: SafetensorsTensor
    let origin: Extent.Origin

    /// What becomes of it alone.
    func outputs(_ rule: TensorRule, layer: Int?, config: ModelConfig) throws -> [SourceTensor] {
        try check(rule.shape, of: rule, config: config)
        let type = try plainType
        return try rule.outputs.map { output in
            let result = try cut(output.cut, shape: tensor.shape, element: type.blockBytes, config: config)
            return SourceTensor(
                output: output, layer: layer, shape: result.shape, type: type, extents: [result.extent])
        }
    }

    /// F32, F16 or BF16.
    var plainType: ElementType {
        get throws {
            guard let type = tensor.type.elementType, [.f32, .f16, .bf16].contains(type) else {
                throw QuernError(
                    .unsupported, "its element type is \(tensor.type.rawValue), not F32, F16 or BF16",
                    at: "tensor \(tensor.name.quotedForMessage)", remedy: "Take a checkpoint that is not quantized")
            }
            return type
        }
    }

    /// - Throws: where the shape is not what config.json makes of `axes`.
    func check(_ axes: [Axis], of rule: TensorRule, config: ModelConfig) throws {
        let shape = axes.map { $0.size(config) }
        var fits = tensor.shape == shape
        if case .leading? = rule.outputs.first?.cut, tensor.shape.count == shape.count,
            tensor.shape.dropFirst() == shape.dropFirst()
        {
            fits = tensor.shape[0] >= shape[0]
        }
        guard fits, shape.allSatisfy({ $0 > 0 }) else {
            throw fault("its shape is \(tensor.shape), but config.json says \(shape)")
        }
    }

    func cut(_ cut: TensorCut, shape: [Int], element: Int, config: ModelConfig) throws -> TensorCut.Result {
        guard
            let result = cut.apply(
                shape: shape, element: element, origin: origin, offset: tensor.offset, length: tensor.length,
                config: config)
        else { throw fault("its shape \(tensor.shape) cannot be taken apart as config.json says") }
        return result
    }

    func fault(_ message: String) -> QuernError {
        QuernError(
            .invalidInput, message, at: "tensor \(tensor.name.quotedForMessage)",
            remedy: "Take the config.json that belongs to these weights")
    }
}

extension SourceTensor {
    /// - Parameter shape: outermost first.
    init(
        output: TensorRule.Output, layer: Int?, shape: [Int], type: ElementType, extents: [Extent],
        scales: [Extent] = []
    ) {
        let name = layer.map { "blk.\($0).\(output.target)" } ?? output.target
        let staysF32 = TensorRules.staysF32(name: name, rank: shape.count)
        self.init(
            name: name, shape: shape.reversed(), type: type, extents: extents, scales: scales, addend: output.addend,
            fixedType: type == .mxfp4 ? .mxfp4 : staysF32 ? .f32 : nil)
    }
}

/// Tensors of a checkpoint that become something together: all experts of a layer, or MXFP4 codes and their scales.
struct TensorGathering {
    let rules: [TensorRule]
    let layer: Int?
    let config: ModelConfig
    private var parts: [String: StoredTensor] = [:]

    init(rules: [TensorRule], layer: Int?, config: ModelConfig) {
        self.rules = rules
        self.layer = layer
        self.config = config
    }

    private var experts: Int { config.experts?.count ?? 0 }
    private static func key(_ rule: TensorRule, _ expert: Int?, isScales: Bool) -> String {
        "\(rule.source) \(expert ?? 0) \(isScales)"
    }

    /// - Returns: what is made of all of them, as soon as the last one is there; nothing before.
    mutating func add(
        _ part: StoredTensor, rule: TensorRule, expert: Int?, isScales: Bool
    ) throws -> [SourceTensor] {
        parts[Self.key(rule, expert, isScales: isScales)] = part
        try part.check(isScales ? rule.shape.dropLast() : rule.shape, of: rule, config: config)
        let needed = rules.reduce(0) { $0 + ($1.isOfExperts ? experts : $1.scales == nil ? 1 : 2) }
        guard parts.count == needed else { return [] }
        return try rules.flatMap { try $0.isOfExperts ? [stacked($0)] : packed($0) }
    }

    /// All experts, one after the other.
    private func stacked(_ rule: TensorRule) throws -> SourceTensor {
        let stored = (0..<experts).compactMap { parts[Self.key(rule, $0, isScales: false)] }
        guard let first = stored.first, let output = rule.outputs.first, stored.count == experts else {
            throw QuernError(.internalFault, "experts are missing", at: rule.source)
        }
        let type = try first.plainType
        let extents = try stored.map { part in
            guard try part.plainType == type else {
                throw part.fault("its element type is not \(type) as that of \(first.tensor.name.quotedForMessage)")
            }
            return try part.cut(
                output.cut, shape: part.tensor.shape, element: type.blockBytes, config: config
            ).extent
        }
        return SourceTensor(
            output: output, layer: layer, shape: [experts] + first.tensor.shape, type: type, extents: extents)
    }

    /// MXFP4 in two tensors: 16 bytes of codes for a block, and its scale.
    private func packed(_ rule: TensorRule) throws -> [SourceTensor] {
        guard let codes = parts[Self.key(rule, nil, isScales: false)],
            let scales = parts[Self.key(rule, nil, isScales: true)]
        else { throw QuernError(.internalFault, "codes or scales are missing", at: rule.source) }
        for part in [codes, scales] where part.tensor.type != .u8 {
            throw part.fault("its element type is \(part.tensor.type.rawValue), not U8")
        }
        return try rule.outputs.map { output in
            let result = try codes.cut(output.cut, shape: codes.tensor.shape, element: 1, config: config)
            let scale = try scales.cut(output.cut, shape: scales.tensor.shape, element: 1, config: config)
            guard let blocks = scale.shape.last else { throw scales.fault("it has no dimensions") }
            return SourceTensor(
                output: output, layer: layer, shape: scale.shape.dropLast() + [32 * blocks], type: .mxfp4,
                extents: [result.extent], scales: [scale.extent])
        }
    }
}
