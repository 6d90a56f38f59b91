import QuernFormats
import QuernJobs

/// Which tensors of a checkpoint are the weights of linear layers, and which of these are left as they are: told by
/// names and shapes, since any architecture may come.
struct LinearLayers {
    /// Regular expressions and names of the user's.
    private let ignored: [LayerPattern]

    enum Kind: Equatable {
        /// To be quantized.
        case quantized
        /// A linear layer that loaders must be told to leave alone.
        case ignored
        /// No linear layer.
        case other
    }

    /// Heads, whose errors reach the output undiminished, and routers, of which a small error chooses another expert.
    private static let keptLayers: Set<String> = [
        "lm_head", "output", "score", "classifier", "gate", "router", "shared_expert_gate",
    ]
    /// Parts of models that see and hear: small, and sensitive.
    private static let keptParts: Set<String> = [
        "visual", "vision_tower", "vision_model", "audio_tower", "multi_modal_projector", "mm_projector",
    ]

    /// - Parameter ignore: names of layers, or `re:` and a regular expression that a name begins with.
    /// - Throws: `QuernError` `.usage` for what is no regular expression.
    init(ignore: [String]) throws {
        ignored = try ignore.map { text in
            do throws(QuernError) { return try LayerPattern(text) } catch { throw error.located(in: "ignore") }
        }
    }

    /// - Returns: also the layer's name, for linear layers.
    func kind(of tensor: SafetensorsTensor) -> (kind: Kind, layer: String) {
        guard let layer = LayerName.linear(tensor) else { return (.other, "") }
        let parts = layer.split(separator: ".").map(String.init)
        let isKept =
            Self.keptLayers.contains(parts.last ?? "") || parts.contains(where: Self.keptParts.contains)
            || ignored.contains { $0.matches(layer) }
        return (isKept ? .ignored : .quantized, layer)
    }
}
