import QuernFormats

/// How the linear layers of a checkpoint are stored, as `quantization_config` of its config.json says it: the formats
/// of compressed-tensors (https://github.com/vllm-project/compressed-tensors), and FP8 as DeepSeek publishes it.
struct StoredQuantization {
    /// How the weights of a layer are stored.
    struct Layout: Equatable {
        let format: WeightFormat
        /// Whether one scale stands for the whole matrix.
        var hasOneScale = false
    }

    /// Layers that are stored alike.
    struct Group {
        let patterns: [LayerPattern]
        /// Whether it has all layers that no pattern names.
        let hasOthers: Bool
        /// Nil where only activations are rounded.
        let layout: Layout?
    }

    /// `quant_method`.
    let method: String
    let groups: [Group]

    /// Whether the model was published like that, so that quantizing it does not round it for a second time.
    var isOriginal: Bool { method == Self.fp8 }

    private static let fp8 = "fp8"
    private static let compressedTensors = "compressed-tensors"

    /// The text of `quant_method`, whether anything is known of it or not; nil for checkpoints that are not quantized.
    static func method(of config: JSONObject) -> String? {
        ModelConfig.present(config, "quantization_config")?.object?["quant_method"]?.string
    }

    /// - Parameter config: config.json.
    /// - Returns: nil where nothing is quantized, or by a method that is none of these.
    /// - Throws: `QuernError` `.unsupported` for formats of theirs that cannot be read, `.invalidInput` for what
    ///   contradicts itself.
    init?(_ config: JSONObject) throws {
        guard let method = Self.method(of: config), [Self.fp8, Self.compressedTensors].contains(method),
            let fields = config["quantization_config"]?.object
        else { return nil }
        self.method = method
        do {
            groups = try method == Self.fp8 ? [Self.blocks(fields)] : CompressedGroups(fields).groups
        } catch let error as QuernError {
            throw error.located(in: "config.json: quantization_config")
        }
    }

    private static func blocks(_ fields: JSONObject) throws(QuernError) -> Group {
        guard let size = ModelConfig.present(fields, "weight_block_size") else {
            return Group(patterns: [], hasOthers: true, layout: Layout(format: .float, hasOneScale: true))
        }
        let length = Int64(WeightFormat.blockLength)
        guard size.array?.map(\.integer) == [length, length] else {
            throw QuernError(.unsupported, "FP8 in other blocks than \(length) × \(length)", at: "weight_block_size")
        }
        return Group(patterns: [], hasOthers: true, layout: Layout(format: .floatBlocks))
    }

    /// - Returns: nil where nothing says how the layer is stored.
    func layout(of layer: String) -> Layout? {
        // As compressed-tensors chooses: a name in full before an expression, and either before a class.
        let group =
            groups.first { $0.patterns.contains { if case .name(layer) = $0 { true } else { false } } }
            ?? groups.first { $0.patterns.contains { $0.matches(layer) } } ?? groups.first(where: \.hasOthers)
        return group?.layout
    }
}
