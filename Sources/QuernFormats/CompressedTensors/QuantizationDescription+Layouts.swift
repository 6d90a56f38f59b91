extension QuantizationDescription {
    /// A description that is not compressed-tensors': one storage for all linear layers but those that are left out.
    static func other(
        _ layout: WeightStorage.Layout, _ json: JSONObject
    ) throws(QuernError) -> (storage: WeightStorage, isIgnored: (String) -> Bool) {
        switch layout {
        case .compressedTensors: throw QuernError(.internalFault, "read elsewhere")
        case .awq:
            let version = json["version"]?.string?.lowercased() ?? "gemm"
            guard version == "gemm", json["bits"]?.integer == 4, json["zero_point"]?.bool ?? true else {
                throw QuernError(
                    .unsupported, "nothing here knows AWQ other than gemm of 4 bits with zero points", at: "version",
                    remedy: "Take the checkpoint it was made from")
            }
            let parts = try texts(json["modules_to_not_convert"], "modules_to_not_convert")
            let numbers = WeightFormat.packed(bits: 4, group: try group(json), isSymmetric: false)
            return (WeightStorage(numbers, layout: .awq), { layer in parts.contains { layer.contains($0) } })
        case .gptq:
            let format = json["checkpoint_format"]?.string ?? "gptq"
            guard format == "gptq", let bits = json["bits"]?.integer, [4, 8].contains(bits), json["sym"]?.bool ?? true,
                !(json["desc_act"]?.bool ?? false)
            else {
                throw QuernError(
                    .unsupported,
                    "nothing here knows GPTQ other than symmetric of 4 or 8 bits with neighbours in groups",
                    at: "checkpoint_format", remedy: "Take the checkpoint it was made from")
            }
            let numbers = WeightFormat.packed(bits: Int(bits), group: try group(json), isSymmetric: true)
            var patterns: [LayerPattern] = json["lm_head"]?.bool ?? false ? [] : [.name("lm_head")]
            for key in (json["dynamic"]?.object?.entries ?? []).map(\.0) where key.hasPrefix("-:") {
                patterns.append(try pattern("re:" + key.dropFirst(2), "dynamic"))
            }
            return (
                WeightStorage(numbers, layout: .gptq), { [patterns] layer in patterns.contains { $0.matches(layer) } }
            )
        case .bitsandbytes:
            let isFourBits = json["load_in_4bit"]?.bool ?? false
            guard isFourBits || json["load_in_8bit"]?.bool ?? false else {
                throw QuernError(.invalidInput, "it says neither load_in_4bit nor load_in_8bit", at: "load_in_4bit")
            }
            // What transformers takes where it says nothing.
            let isNF4 = json["bnb_4bit_quant_type"]?.string ?? "fp4" == "nf4"
            guard !isFourBits || (isNF4 && json["bnb_4bit_use_double_quant"]?.bool ?? false) else {
                throw QuernError(
                    .unsupported, "nothing here knows 4 bits of bitsandbytes other than NF4 with double quantization",
                    at: "bnb_4bit_quant_type", remedy: "Take the checkpoint it was made from")
            }
            let names = try texts(
                json["llm_int8_skip_modules"] ?? .array([.string("lm_head")]), "llm_int8_skip_modules")
            return (
                WeightStorage(isFourBits ? .nf4 : .absmax8, layout: .bitsandbytes),
                { layer in names.contains { layer == $0 || layer.hasSuffix(".\($0)") || layer.hasPrefix("\($0).") } }
            )
        }
    }

    /// `group_size`: nil for −1, which stands for whole rows.
    private static func group(_ json: JSONObject) throws(QuernError) -> Int? {
        let size = json["group_size"]?.integer ?? 128
        if size == -1 { return nil }
        guard (8...1 << 20).contains(size), size % 8 == 0 else {
            throw QuernError(.unsupported, "groups of \(size)", at: "group_size", remedy: "Take another checkpoint")
        }
        return Int(size)
    }
}
