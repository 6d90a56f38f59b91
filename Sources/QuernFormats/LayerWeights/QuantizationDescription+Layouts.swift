extension QuantizationDescription {
    /// A description that is not compressed-tensors': one storage for all linear layers but those that are left out.
    static func other(
        _ layout: WeightStorage.Layout, _ json: JSONObject
    ) throws(QuernError) -> (storage: WeightStorage, isIgnored: (String) -> Bool) {
        switch layout {
        case .compressedTensors: throw QuernError(.internalFault, "read elsewhere")
        case .awq:
            let version = json["version"]?.string?.lowercased() ?? "gemm"
            guard version == "gemm" else { throw unknown("AWQ's version \(version.quotedForMessage)", at: "version") }
            guard json["bits"]?.integer == 4 else { throw unknown("AWQ of other than 4 bits", at: "bits") }
            guard try flag(json, "zero_point", or: true) else {
                throw unknown("AWQ without zero points", at: "zero_point")
            }
            let parts = try texts(json["modules_to_not_convert"], "modules_to_not_convert")
            let numbers = WeightFormat.packed(bits: 4, group: try group(json), isSymmetric: false)
            return (WeightStorage(numbers, layout: .awq), { layer in parts.contains { layer.contains($0) } })
        case .gptq:
            let format = json["checkpoint_format"]?.string ?? "gptq"
            guard format == "gptq" else {
                throw unknown("GPTQ's format \(format.quotedForMessage)", at: "checkpoint_format")
            }
            guard let bits = json["bits"]?.integer, [4, 8].contains(bits) else {
                throw unknown("GPTQ of other than 4 or 8 bits", at: "bits")
            }
            guard try flag(json, "sym", or: true) else { throw unknown("GPTQ that is not symmetric", at: "sym") }
            guard try !flag(json, "desc_act", or: false) else {
                throw unknown("GPTQ whose groups are not neighbours", at: "desc_act")
            }
            let numbers = WeightFormat.packed(bits: Int(bits), group: try group(json), isSymmetric: true)
            var patterns: [LayerPattern] = try flag(json, "lm_head", or: false) ? [] : [.name("lm_head")]
            for key in (json["dynamic"]?.object?.entries ?? []).map(\.0) where key.hasPrefix("-:") {
                patterns.append(try pattern("re:" + key.dropFirst(2), "dynamic"))
            }
            return (
                WeightStorage(numbers, layout: .gptq), { [patterns] layer in patterns.contains { $0.matches(layer) } }
            )
        case .bitsandbytes:
            let isFourBits = try flag(json, "load_in_4bit", or: false)
            let isEightBits = try flag(json, "load_in_8bit", or: false)
            guard isFourBits != isEightBits else {
                throw QuernError(.invalidInput, "either load_in_4bit or load_in_8bit is true", at: "load_in_4bit")
            }
            // What transformers takes where it says nothing.
            let isNF4 = json["bnb_4bit_quant_type"]?.string ?? "fp4" == "nf4"
            let isDouble = try flag(json, "bnb_4bit_use_double_quant", or: false)
            guard isEightBits || (isNF4 && isDouble) else {
                throw unknown(
                    "4 bits of bitsandbytes other than NF4 with double quantization", at: "bnb_4bit_quant_type")
            }
            let names = try texts(
                json["llm_int8_skip_modules"] ?? .array([.string("lm_head")]), "llm_int8_skip_modules")
            return (
                WeightStorage(isFourBits ? .nf4 : .absmax8, layout: .bitsandbytes),
                { layer in names.contains { layer == $0 || layer.hasSuffix(".\($0)") || layer.hasPrefix("\($0).") } }
            )
        }
    }

    private static func unknown(_ what: String, at member: String) -> QuernError {
        QuernError(
            .unsupported, "nothing here knows \(what)", at: member, remedy: "Take the checkpoint it was made from")
    }

    /// - Parameter usual: where it is missing.
    private static func flag(_ json: JSONObject, _ member: String, or usual: Bool) throws(QuernError) -> Bool {
        guard let value = json[member], !value.isNull else { return usual }
        guard let flag = value.bool else {
            throw QuernError(.invalidInput, "\(value.kind), true or false should be here", at: member)
        }
        return flag
    }

    /// `group_size`: nil for −1, which stands for whole rows.
    private static func group(_ json: JSONObject) throws(QuernError) -> Int? {
        guard let value = json["group_size"], !value.isNull else { return 128 }
        let size = value.integer ?? 0
        if size == -1 { return nil }
        guard (8...1 << 20).contains(size), size % 8 == 0 else { throw unknown("such groups", at: "group_size") }
        return Int(size)
    }
}
