import Foundation
import QuernFormats

/// config.json of a quantized folder: that of the checkpoint, and what tells loaders how the layers are stored.
struct QuantizedConfig {
    private let quantization: any Encodable

    init(_ schemes: LayerSchemes) {
        let ignored = schemes.ignored
        quantization =
            switch (schemes.groups.first?.scheme.storage.layout, schemes.groups.first?.scheme.weights) {
            case (.awq, .packed(let bits, let group, _)): AWQConfig(bits: bits, group: group, ignored: ignored)
            case (.gptq, .packed(let bits, let group, _)): GPTQConfig(bits: bits, group: group, ignored: ignored)
            case (.bitsandbytes, let numbers): BitsandbytesConfig(isNF4: numbers == .nf4, ignored: ignored)
            default: QuantizationConfig(schemes)
            }
    }

    /// config.json with `quantization_config` in it, everything else as it was.
    /// - Parameter config: an object's text.
    func inserted(into config: String) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(quantization), as: UTF8.self).replacing("\n", with: "\n  ")
        guard let brace = config.lastIndex(of: "}") else {
            throw QuernError(.invalidInput, "no object", at: "config.json")
        }
        let members = config[..<brace].reversed().drop(while: \.isWhitespace).reversed()
        let comma = members.last == "{" ? "" : ","
        return String(members) + "\(comma)\n  \"quantization_config\": \(text)\n}\n"
    }
}

/// As AutoAWQ writes it.
private struct AWQConfig: Encodable {
    let quant_method = "awq"
    let version = "gemm"
    let bits: Int
    let group_size: Int
    let zero_point = true
    let modules_to_not_convert: [String]

    init(bits: Int, group: Int?, ignored: [String]) {
        self.bits = bits
        // Whole rows.
        group_size = group ?? -1
        modules_to_not_convert = ignored
    }
}

/// As GPTQModel writes it, and vLLM reads it.
private struct GPTQConfig: Encodable {
    let quant_method = "gptq"
    let checkpoint_format = "gptq"
    let bits: Int
    let group_size: Int
    let sym = true
    let desc_act = false
    /// Whether the head is quantized, too.
    let lm_head: Bool
    /// Expressions for what is not, after `-:`.
    let dynamic: [String: [String: Int]]

    init(bits: Int, group: Int?, ignored: [String]) {
        self.bits = bits
        group_size = group ?? -1
        lm_head = !ignored.contains("lm_head")
        let others = ignored.filter { $0 != "lm_head" }.map { "-:^\($0.replacing(".", with: "\\."))$" }
        dynamic = Dictionary(others.map { ($0, [:]) }, uniquingKeysWith: { first, _ in first })
    }
}

/// As transformers writes it.
private struct BitsandbytesConfig: Encodable {
    let quant_method = "bitsandbytes"
    let load_in_4bit: Bool
    let load_in_8bit: Bool
    let bnb_4bit_quant_type = "nf4"
    let bnb_4bit_use_double_quant = true
    let bnb_4bit_quant_storage = "uint8"
    let bnb_4bit_compute_dtype = "bfloat16"
    let llm_int8_has_fp16_weight = false
    let llm_int8_skip_modules: [String]

    init(isNF4: Bool, ignored: [String]) {
        load_in_4bit = isNF4
        load_in_8bit = !load_in_4bit
        llm_int8_skip_modules = ignored
    }
}
