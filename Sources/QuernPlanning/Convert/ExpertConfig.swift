import QuernFormats

/// What config.json says about experts.
struct ExpertConfig: Sendable {
    /// Where a class keeps it, and what it fills in.
    struct Defaults: Sendable {
        /// The field with the width of an expert.
        var feedForward = "moe_intermediate_size"
        var groups: Int?
        var usedGroups: Int?
    }

    /// In each layer that has some.
    let count: Int
    /// For each token.
    let used: Int
    /// Width of one expert.
    let feedForwardSize: Int
    /// Width of what every token goes through besides; 0 where there is no such thing.
    let sharedSize: Int
    let sharedCount: Int?
    /// Groups of experts, and how many of them a token may choose from.
    let groups: Int?
    let usedGroups: Int?
    /// `expert_gating_func` of GGUF; nil where the field is missing.
    let gating: UInt32?
    /// Layers before the first with experts.
    let leadingDense: Int

    init(fields: JSONObject, defaults: Defaults, layers: Int) throws {
        let names = ["num_local_experts", "num_experts", "n_routed_experts"]
        guard let name = names.first(where: { ModelConfig.present(fields, $0) != nil }) else {
            throw ModelConfig.fault("'num_experts' is missing")
        }
        count = try ModelConfig.size(fields, name, limit: 65_536)
        used =
            try ModelConfig.optionalSize(fields, "num_experts_per_tok", limit: count)
            ?? ModelConfig.size(fields, "experts_per_token", limit: count)
        let width = try ModelConfig.size(fields, defaults.feedForward)
        feedForwardSize = width
        sharedCount = try ModelConfig.optionalSize(fields, "n_shared_experts", limit: 65_536)
        sharedSize =
            try sharedCount.map { $0 * width }
            ?? ModelConfig.optionalSize(fields, "shared_expert_intermediate_size") ?? 0
        groups = try ModelConfig.optionalSize(fields, "n_group", limit: count) ?? defaults.groups
        usedGroups = try ModelConfig.optionalSize(fields, "topk_group", limit: count) ?? defaults.usedGroups
        if let groups {
            guard count % groups == 0, let usedGroups, usedGroups <= groups else {
                throw ModelConfig.fault("'n_group' and 'topk_group' do not fit \(count) experts")
            }
        }
        switch ModelConfig.present(fields, "scoring_func")?.string {
        case nil: gating = nil
        case "softmax": gating = 1
        case "sigmoid": gating = 2
        case let function?:
            throw QuernError(
                .unsupported, "'scoring_func' is \(function.quotedForMessage), not softmax or sigmoid",
                at: "config.json")
        }
        if case .integer(let first)? = ModelConfig.present(fields, "first_k_dense_replace") {
            guard (0...Int64(layers)).contains(first) else {
                throw ModelConfig.fault("'first_k_dense_replace' has to be an integer from 0 to \(layers)")
            }
            leadingDense = Int(first)
        } else {
            leadingDense = 0
        }
        try Self.refuseMixedLayers(fields)
    }

    /// Layers without experts among those with experts: GGUF has no word for them but how many come first.
    private static func refuseMixedLayers(_ fields: JSONObject) throws {
        let remedy = "llama.cpp cannot load such a model, so there is no GGUF of it"
        for field in ["decoder_sparse_step", "moe_layer_freq"] {
            guard let step = ModelConfig.present(fields, field)?.integer, step != 1 else { continue }
            throw QuernError(
                .unsupported, "only every \(step)th layer has experts ('\(field)')", at: "config.json", remedy: remedy)
        }
        if let layers = ModelConfig.present(fields, "mlp_only_layers")?.array, !layers.isEmpty {
            throw QuernError(
                .unsupported, "\(layers.count) layers have no experts ('mlp_only_layers')", at: "config.json",
                remedy: remedy)
        }
    }
}

/// Sizes of multi-head latent attention (DeepSeek): keys and values are made from a vector of `rank` values, and a
/// part of each head, which alone rotates.
struct LatentAttention: Sendable {
    /// nil where queries are made directly.
    let queryRank: Int?
    let rank: Int
    /// Parts of a head of q and k that do not rotate, and that do.
    let keyStill: Int
    let keyRotated: Int
    let value: Int

    init(fields: JSONObject) throws {
        let limit = 1 << 20
        queryRank = try ModelConfig.optionalSize(fields, "q_lora_rank", limit: limit)
        rank = try ModelConfig.size(fields, "kv_lora_rank", limit: limit)
        keyStill = try ModelConfig.size(fields, "qk_nope_head_dim", limit: limit)
        keyRotated = try ModelConfig.size(fields, "qk_rope_head_dim", limit: limit)
        value = try ModelConfig.size(fields, "v_head_dim", limit: limit)
        guard keyRotated % 2 == 0 else { throw ModelConfig.fault("'qk_rope_head_dim' is odd: RoPE needs pairs") }
    }
}
