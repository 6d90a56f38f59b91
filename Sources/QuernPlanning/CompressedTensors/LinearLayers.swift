import QuernFormats
import QuernJobs

/// Which tensors of a checkpoint are the weights of linear layers, and which of these are left as they are: told by
/// names and shapes, since any architecture may come.
struct LinearLayers {
    /// Regular expressions and names of the user's.
    private let ignored: [Pattern]

    private enum Pattern {
        case name(String)
        case expression(Regex<AnyRegexOutput>)
    }

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
            guard text.hasPrefix("re:") else { return .name(text) }
            do {
                return .expression(try Regex(String(text.dropFirst(3))).matchingSemantics(.unicodeScalar))
            } catch {
                throw QuernError(
                    .usage, "'\(text)' is no regular expression: \(error)", at: "ignore",
                    remedy: #"Write it like re:.*mlp\.down_proj"#)
            }
        }
    }

    /// - Returns: also the layer's name, for linear layers.
    func kind(of tensor: SafetensorsTensor) -> (kind: Kind, layer: String) {
        guard tensor.name.hasSuffix(".weight"), tensor.shape.count == 2, tensor.shape.allSatisfy({ $0 > 0 }),
            [.f32, .f16, .bf16].contains(tensor.type)
        else { return (.other, "") }
        let layer = String(tensor.name.dropLast(".weight".count))
        let parts = layer.split(separator: ".").map(String.init)
        guard let last = parts.last, !last.contains("embed"), !["wte", "wpe"].contains(last) else {
            return (.other, "")
        }
        let isKept =
            Self.keptLayers.contains(last) || parts.contains(where: Self.keptParts.contains) || isIgnored(layer)
        return (isKept ? .ignored : .quantized, layer)
    }

    private func isIgnored(_ layer: String) -> Bool {
        ignored.contains { pattern in
            switch pattern {
            case .name(let name): name == layer
            case .expression(let expression): layer.prefixMatch(of: expression) != nil
            }
        }
    }
}
