import QuernFormats

/// How the linear layers of a checkpoint are stored, as `quantization_config` of its config.json says it: in one of the
/// layouts that are written, too, or in FP8 as DeepSeek publishes it.
struct StoredQuantization {
    typealias Layout = QuantizationDescription.Layout

    private enum Kind {
        case described(QuantizationDescription)
        /// All layers alike.
        case fp8(Layout)
    }

    /// `quant_method`.
    let method: String
    private let kind: Kind

    /// Whether the model was published like that, so that quantizing it does not round it for a second time.
    var isOriginal: Bool { method == Self.fp8 }

    private static let fp8 = "fp8"

    /// The text of `quant_method`, whether anything is known of it or not; nil for checkpoints that are not quantized.
    static func method(of config: JSONObject) -> String? {
        ModelConfig.present(config, "quantization_config")?.object?["quant_method"]?.string
    }

    /// - Parameter config: config.json.
    /// - Returns: nil where nothing is quantized, or by a method that is none of these.
    /// - Throws: `QuernError` `.unsupported` for formats of theirs that cannot be read, `.invalidInput` for what
    ///   contradicts itself.
    init?(_ config: JSONObject) throws {
        guard let method = Self.method(of: config),
            method == Self.fp8 || WeightStorage.Layout(rawValue: method) != nil,
            let fields = config["quantization_config"]?.object
        else { return nil }
        self.method = method
        do throws(QuernError) {
            kind =
                try method == Self.fp8 ? .fp8(Self.blocks(fields)) : .described(QuantizationDescription(fields))
        } catch {
            throw error.located(in: "config.json: quantization_config")
        }
    }

    private static func blocks(_ fields: JSONObject) throws(QuernError) -> Layout {
        guard let size = ModelConfig.present(fields, "weight_block_size") else {
            return Layout(WeightStorage(.float), hasOneScale: true)
        }
        let length = Int64(WeightFormat.blockLength)
        guard size.array?.map(\.integer) == [length, length] else {
            throw QuernError(.unsupported, "FP8 in other blocks than \(length) × \(length)", at: "weight_block_size")
        }
        return Layout(WeightStorage(.floatBlocks))
    }

    /// - Returns: nil where nothing says how the layer is stored.
    func layout(of layer: String) -> Layout? {
        switch kind {
        case .described(let description): description.group(of: layer)?.weights
        case .fp8(let layout): layout
        }
    }
}
