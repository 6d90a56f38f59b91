extension Architecture {
    static let llama = Architecture(name: "llama", pairing: .neighbours)

    static let qwen2 = Architecture(name: "qwen2", pairing: .halves)

    static let qwen2moe = Architecture(
        name: "qwen2moe", pairing: .halves, routing: RoutingStyle(normalizes: false))

    static let qwen3 = Architecture(name: "qwen3", pairing: .halves, queryKeyNorms: .eachHead)

    static let qwen3moe = Architecture(name: "qwen3moe", pairing: .halves, queryKeyNorms: .eachHead)

    /// A norm before and one after each half of a block.
    static let gemma2 = Architecture(
        name: "gemma2", pairing: .halves,
        attentionNorms: BlockNorms(before: "attn_norm", after: "post_attention_norm"),
        feedForwardNorms: BlockNorms(before: "ffn_norm", after: "post_ffw_norm"), activation: .gelu,
        windows: .period(2, rope: .same), scalesEmbeddings: true, layersScaledByQuotient: 46)

    static let gemma3 = Architecture(
        name: "gemma3", pairing: .halves,
        attentionNorms: BlockNorms(before: "attn_norm", after: "post_attention_norm"),
        feedForwardNorms: BlockNorms(before: "ffn_norm", after: "post_ffw_norm"), queryKeyNorms: .eachHead,
        activation: .gelu, windows: .period(6, rope: .unscaled(base: 10_000)), scalesEmbeddings: true,
        layersScaledByQuotient: 62)

    static let phi3 = Architecture(name: "phi3", pairing: .halves, feedForward: .fusedGate)

    /// Files without a gating function are of DeepSeek-V2, which takes the softmax and leaves it as it is.
    static let deepseek2 = Architecture(
        name: "deepseek2", pairing: .neighbours, attention: .latent, routing: RoutingStyle(normalizes: false))

    /// What the file calls the norm after attention is the norm before the experts.
    static let gptOss = Architecture(
        name: "gpt-oss", pairing: .halves, feedForwardNorms: BlockNorms(before: "post_attention_norm"),
        attention: .groupedWithSinks, activation: .clampedSilu(alpha: 1.702, limit: 7),
        windows: .period(2, rope: .same), routing: RoutingStyle(scoring: .softmaxOfChosen, normalizes: false))

    /// Norms after each half of a block only. OLMo 3 comes under the same name, with windows.
    static let olmo2 = Architecture(
        name: "olmo2", pairing: .halves, attentionNorms: BlockNorms(after: "post_attention_norm"),
        feedForwardNorms: BlockNorms(after: "post_ffw_norm"), queryKeyNorms: .allHeads,
        windows: .period(4, rope: .unscaled(base: nil)))

    static let granite = Architecture(name: "granite", pairing: .neighbours)

    static let glm4 = Architecture(
        name: "glm4", pairing: .neighbours,
        attentionNorms: BlockNorms(before: "attn_norm", after: "post_attention_norm"),
        feedForwardNorms: BlockNorms(before: "ffn_norm", after: "post_ffw_norm"), feedForward: .fusedGate)

    static let starcoder2 = Architecture(
        name: "starcoder2", pairing: .halves, norm: .layer, feedForward: .ungated, activation: .gelu)
}
