import QuernFormats

/// What sets the forward pass of one `general.architecture` apart. Everything else (widths, heads, biases, soft caps,
/// scales, experts) is read from metadata and from which tensors are there.
struct Architecture: Sendable {
    /// `general.architecture`.
    let name: String
    /// Which entries of a head RoPE rotates together.
    let pairing: Rope.Pairing
    var norm: Norm.Kind = .rms
    var attentionNorms = BlockNorms(before: "attn_norm")
    var feedForwardNorms = BlockNorms(before: "ffn_norm")
    var queryKeyNorms: QueryKeyNorms = .none
    var attention: AttentionKind = .grouped
    var feedForward: FeedForwardLayout = .gated
    var activation: Activation = .silu
    var windows: Windows = .none
    /// Whether embeddings are multiplied with √hidden.
    var scalesEmbeddings = false
    /// The number of layers of that one size whose scores are scaled by hidden/heads in place of the head size.
    var layersScaledByQuotient: Int?
    var routing = RoutingStyle()

    /// Names of the norms of a block, after `blk.N.`.
    struct BlockNorms: Sendable {
        var before: String?
        var after: String?
    }

    enum QueryKeyNorms: Sendable {
        case none
        case eachHead
        /// Over all heads as one row.
        case allHeads
    }

    enum AttentionKind: Sendable {
        case grouped
        /// With a score for each head that takes no value along.
        case groupedWithSinks
        /// DeepSeek's, in the latent space.
        case latent
    }

    enum FeedForwardLayout: Sendable {
        case gated
        /// `ffn_up` holds gate and up.
        case fusedGate
        case ungated
    }

    /// Which layers see a window only, where the metadata have one and no pattern.
    enum Windows: Sendable {
        case none
        /// All but the last of every `period` layers.
        case period(Int, rope: WindowRope)
    }

    /// RoPE of the layers with a window.
    enum WindowRope: Sendable {
        /// That of all layers.
        case same
        /// Without scaling, and with `rope.freq_base_swa`, or this base, or that of all layers.
        case unscaled(base: Double?)
    }

    /// How experts are chosen where neither metadata nor hints say otherwise.
    struct RoutingStyle: Sendable {
        var scoring: ExpertScoring = .softmax
        var normalizes = true
    }

    /// All whose forward pass is known.
    static let all: [Architecture] = [
        .llama, .qwen2, .qwen2moe, .qwen3, .qwen3moe, .gemma2, .gemma3, .phi3, .deepseek2, .gptOss, .olmo2, .granite,
        .glm4, .starcoder2,
    ]
}

extension DecoderGraph {
    /// The forward pass of a model.
    /// - Throws: `QuernError` `.unsupported` for an architecture that is not known, naming those that are, and for
    ///   tensors that have no place in it; `.invalidInput` where tensors or keys are missing or contradict each other.
    public static func of(_ model: SourceModel) throws -> DecoderGraph {
        guard let architecture = Architecture.all.first(where: { $0.name == model.architecture }) else {
            let known = Architecture.all.map(\.name).joined(separator: ", ")
            throw QuernError(
                .unsupported, "the forward pass of the architecture \(model.architecture.quotedForMessage) is unknown",
                at: model.name, remedy: "Known are \(known). Encoding needs none of them")
        }
        do {
            return try GraphBuilder(model: model, architecture: architecture).graph()
        } catch let error as QuernError {
            throw error.located(in: model.name)
        }
    }

    /// The forward pass of a model that a recipe wants computed.
    /// - Parameters:
    ///   - wanted: what is to be done with the model, as a participle.
    ///   - remedy: what to do where its forward pass is unknown.
    static func of(_ model: SourceModel, toBe wanted: String, remedy: String) throws -> DecoderGraph {
        do {
            return try of(model)
        } catch let error as QuernError where error.code == .unsupported {
            throw QuernError(
                .unsupported, "the model cannot be \(wanted): \(error.message)", at: model.name,
                remedy: "\(remedy) \(error.remedy)")
        }
    }
}
