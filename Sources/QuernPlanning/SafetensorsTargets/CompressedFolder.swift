import QuernFormats
import QuernJobs

extension CompressedDraft {
    /// All files of a target: a folder that loads as it is.
    /// - Parameters:
    ///   - folder: its name.
    ///   - limits: of shards.
    func files(of choice: Choice, folder: String, limits: Recipe.SplitLimits?) throws -> [PlannedFile] {
        let config = try QuantizedConfig(choice.schemes).inserted(into: checkpoint.config)
        let weights = try SafetensorsLayout(folder: folder, tensors: choice.tensors, limits: limits)
        return [PlannedFile(name: "\(folder)/config.json", bytes: Array(config.utf8))] + weights.files
            + checkpoint.sideFiles.map { PlannedFile(name: "\(folder)/\($0.name)", bytes: $0.bytes) }
            + [PlannedFile(name: "\(folder)/README.md", bytes: Array(card(choice, folder: folder).utf8))]
    }

    /// How it was made and how to serve it.
    private func card(_ choice: Choice, folder: String) -> String {
        let (groups, base) = (choice.schemes.groups, checkpoint.name)
        var front = ["base_model: \(base.yaml)", "library_name: transformers"]
        front += checkpoint.license.map { "\($0.key): \($0.value.yaml)" }
        let layout = groups.first?.scheme.storage.layout ?? .compressedTensors
        let names = groups.map(\.scheme.name).reduce(into: [layout.rawValue]) { if !$0.contains($1) { $0.append($1) } }
        front.append("tags: [\(names.joined(separator: ", "))]")
        let kept =
            choice.schemes.ignored.isEmpty
            ? "" : " Left as they were: \(Self.summary(choice.schemes.ignored))."
        let others = groups.dropFirst().map { " In \($0.scheme.label), \($0.scheme): \(Self.summary($0.layers))." }
            .joined()
        return """
            ---
            \(front.joined(separator: "\n"))
            ---
            # \(folder)

            \(base) in the scheme \(choice.name)\(layout.origin): \(groups.first?.scheme.description ?? "").\(others) \
            The weights of its linear layers are \(choice.method.description).\(kept)

            Serve it with vLLM:

            ```
            vllm serve ./\(folder)
            ```

            or load it with transformers (which needs the package \(layout.package)):

            ```python
            from transformers import AutoModelForCausalLM, AutoTokenizer

            model = AutoModelForCausalLM.from_pretrained("./\(folder)")
            tokenizer = AutoTokenizer.from_pretrained("./\(folder)")
            ```

            Made by Quern. The manifest beside this folder names the source files and every tensor with its error.

            """
    }

    private static func summary(_ layers: [String]) -> String {
        layers.prefix(8).joined(separator: ", ") + (layers.count > 8 ? " and \(layers.count - 8) more" : "")
    }
}

extension String {
    /// As a YAML scalar, quoted.
    fileprivate var yaml: String {
        "\"" + replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: " ") + "\""
    }
}

extension Recipe.Method: CustomStringConvertible {
    /// What is done to weights, in words.
    public var description: String {
        switch self {
        case .nearest: "rounded to nearest, without calibration"
        case .imatrix: "rounded under scales that were searched for the least error, weighted by an importance matrix"
        case .gptq:
            "rounded by GPTQ: under scales that were searched, and with the error of each input fed into those that are "
                + "rounded after it"
        case .awq:
            "rescaled channel by channel so that outputs change least (AWQ), and rounded under scales that were searched"
        case .smoothquant:
            "rescaled channel by channel, so that inputs round better (SmoothQuant), and rounded under scales that were "
                + "searched"
        case .awqGPTQ: "rescaled channel by channel so that outputs change least (AWQ), and rounded by GPTQ"
        case .smoothquantGPTQ:
            "rescaled channel by channel, so that inputs round better (SmoothQuant), and rounded by GPTQ"
        }
    }
}

extension WeightStorage.Layout {
    /// Whose layout it is, for a sentence.
    fileprivate var origin: String {
        switch self {
        case .compressedTensors: " of compressed-tensors"
        case .awq: ", as AutoAWQ stores it"
        case .gptq: ", as GPTQModel stores it"
        case .bitsandbytes: ", as bitsandbytes stores it"
        }
    }

    /// What transformers needs to load it.
    fileprivate var package: String {
        switch self {
        case .compressedTensors: "compressed-tensors"
        case .awq, .gptq: "gptqmodel"
        case .bitsandbytes: "bitsandbytes"
        }
    }
}

extension Scheme: CustomStringConvertible {
    /// What weights and activations are, in words.
    var description: String {
        let numbers =
            switch weights {
            case .packed(let bits, let group, let isSymmetric):
                "\(bits)-bit integers\(isSymmetric ? "" : " with zero points"), a scale for "
                    + (group.map { "every \($0) inputs" } ?? "every output")
            case .integer: "8-bit integers, a scale for every output"
            case .float: "FP8 numbers, a scale for every output"
            case .floatBlocks: "FP8 numbers, a scale for every block of 128 × 128"
            case .nvfp4: "FP4 numbers, an FP8 scale for every 16 inputs, one more for all"
            case .mxfp4: "FP4 numbers, a power of two for every 32 inputs"
            case .nf4: "NF4 numbers, a byte for every 64 inputs that tells their magnitude, a scale for 256 of these"
            case .absmax8: "8-bit integers, a magnitude for every output"
            }
        return "weights are \(numbers)"
            + (activations == nil ? "; activations stay as they are" : "; activations are rounded as the model runs")
    }
}
