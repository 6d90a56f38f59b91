import QuernFormats

/// `config_groups` of compressed-tensors.
struct CompressedGroups {
    let groups: [StoredQuantization.Group]

    /// - Parameter fields: `quantization_config`.
    /// - Throws: `QuernError` `.unsupported` for what cannot be read, `.invalidInput` for what makes no sense.
    init(_ fields: JSONObject) throws {
        if let rotations = ModelConfig.present(fields, "transform_config")?.object?["config_groups"]?.object,
            !rotations.isEmpty
        {
            throw QuernError(.unsupported, "the weights are rotated", at: "transform_config")
        }
        let sparsity = ModelConfig.present(fields, "sparsity_config")?.object?["format"]?.string ?? "dense"
        guard sparsity == "dense" else {
            throw QuernError(.unsupported, "weights are sparse (\(sparsity.quotedForMessage))", at: "sparsity_config")
        }
        guard let members = fields["config_groups"]?.object, !members.isEmpty else {
            throw QuernError(.invalidInput, "it is missing, empty or no object", at: "config_groups")
        }
        let common = fields["format"]?.string
        groups = try members.entries.map { name, value in
            do {
                guard let group = value.object else {
                    throw QuernError(.invalidInput, "\(value.kind), an object should be here")
                }
                return try Self.group(group, format: group["format"]?.string ?? common)
            } catch let error as QuernError {
                throw error.located(in: "config_groups.\(name.quotedForMessage)")
            }
        }
    }

    private static func group(_ fields: JSONObject, format: String?) throws -> StoredQuantization.Group {
        let targets = fields["targets"]?.array?.compactMap(\.string) ?? []
        // What is no expression and no path is the name of a class, such as Linear.
        let named = targets.filter { $0.hasPrefix("re:") || $0.contains(".") || $0 == "lm_head" }
        let layout = try ModelConfig.present(fields, "weights").map { weights in
            do {
                return try Self.layout(weights.object ?? JSONObject(), format: format ?? "")
            } catch let error as QuernError {
                throw error.located(in: "weights")
            }
        }
        return StoredQuantization.Group(
            patterns: try named.map(LayerPattern.init), hasOthers: named.count < targets.count, layout: layout)
    }

    private static func layout(_ weights: JSONObject, format: String) throws -> StoredQuantization.Layout {
        let bits = weights["num_bits"]?.integer ?? 8
        let type = weights["type"]?.string ?? "int"
        let isSymmetric = weights["symmetric"]?.bool ?? true
        let size = ModelConfig.present(weights, "group_size")?.integer
        let implied = size.map { $0 > 0 ? "group" : "channel" } ?? "tensor"
        let strategy = ModelConfig.present(weights, "strategy")?.string ?? implied
        let group = size.flatMap { (2...1 << 20).contains($0) && $0 % 2 == 0 ? Int($0) : nil }
        func layout(_ format: WeightFormat) -> StoredQuantization.Layout {
            StoredQuantization.Layout(format: format, hasOneScale: strategy == "tensor")
        }
        let isByRow = ["channel", "tensor"].contains(strategy)
        // Bytes were called naive once.
        switch (format, type, bits) {
        case ("pack-quantized", "int", 4), ("pack-quantized", "int", 8):
            if isByRow { return layout(.packed(bits: Int(bits), group: nil, isSymmetric: isSymmetric)) }
            guard strategy == "group", let group else { break }
            return layout(.packed(bits: Int(bits), group: group, isSymmetric: isSymmetric))
        case ("int-quantized", "int", 8), ("naive-quantized", "int", 8):
            if isByRow, isSymmetric { return layout(.integer) }
        case ("float-quantized", "float", 8), ("naive-quantized", "float", 8):
            if isByRow { return layout(.float) }
            let length = Int64(WeightFormat.blockLength)
            guard strategy == "block", weights["block_structure"]?.array?.map(\.integer) == [length, length] else {
                break
            }
            return layout(.floatBlocks)
        case ("nvfp4-pack-quantized", "float", 4):
            if group == WeightFormat.nvfp4.group { return layout(.nvfp4) }
        case ("mxfp4-pack-quantized", "float", 4):
            if group == WeightFormat.mxfp4.group { return layout(.mxfp4) }
        default: break
        }
        let groups = group.map { " of \($0)" } ?? ""
        throw QuernError(
            .unsupported,
            "nothing here reads \(format.quotedForMessage) of \(bits)-bit \(type.quotedForMessage), "
                + "\(isSymmetric ? "" : "asymmetric, ")by \(strategy.quotedForMessage)\(groups)",
            remedy: "Take the checkpoint it was made from")
    }
}
