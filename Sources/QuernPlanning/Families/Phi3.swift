import Foundation
import QuernFormats

extension Family {
    /// Phi 3, 3.5 and 4: q, k and v in one matrix, gate and up in one, and two sets of RoPE factors.
    static let phi3 = Family(
        className: "Phi3ForCausalLM",
        architecture: "phi3",
        defaults: ModelConfig.Defaults(
            keyValueHeads: nil, headSize: .ignored, contextLength: 4096, normEpsilon: 1e-5, vocabularySize: 32_064),
        globalTensors: .decoder,
        layerTensors: .blockNorms + [
            TensorRule(
                source: "self_attn.qkv_proj.weight", target: "attn_qkv.weight",
                shape: [.queries + 2 * .keys, .hidden]),
            TensorRule(
                source: "self_attn.o_proj.weight", target: "attn_output.weight", shape: [.hidden, .queries]),
            TensorRule(
                source: "mlp.gate_up_proj.weight", target: "ffn_up.weight", shape: [2 * .feedForward, .hidden]),
            TensorRule(
                source: "mlp.down_proj.weight", target: "ffn_down.weight", shape: [.hidden, .feedForward]),
        ],
        computedTensors: { config in
            guard case .longrope(let factors) = config.rope.scaling else { return [] }
            let pairs = phi3Dimensions(config) / 2
            guard factors.long.count == pairs, factors.short.count == pairs else {
                throw ModelConfig.fault(
                    "'long_factor' has \(factors.long.count) and 'short_factor' \(factors.short.count) numbers in "
                        + "place of \(pairs)")
            }
            return [
                ComputedTensor(name: "rope_factors_long.weight", values: factors.long),
                ComputedTensor(name: "rope_factors_short.weight", values: factors.short),
            ]
        },
        leadingKeys: { config in
            guard case .longrope = config.rope.scaling else { return [] }
            return [("rope.scaling.attn_factor", .float32(Float(try phi3Magnitude(config))))]
        },
        baseKeys: { config in
            [
                ("context_length", .uint32(UInt32(config.contextLength))),
                ("rope.scaling.original_context_length", .uint32(UInt32(try phi3OriginalContext(config)))),
                ("embedding_length", .uint32(UInt32(config.hiddenSize))),
                ("feed_forward_length", .uint32(UInt32(config.feedForwardSize))),
                ("block_count", .uint32(UInt32(config.layers))),
                ("attention.head_count", .uint32(UInt32(config.heads))),
                ("attention.head_count_kv", .uint32(UInt32(config.keyValueHeads))),
                ("attention.layer_norm_rms_epsilon", .float32(Float(config.normEpsilon))),
                ("rope.dimension_count", .uint32(UInt32(phi3Dimensions(config)))),
                ("rope.freq_base", .float32(Float(config.rope.theta))),
            ]
        },
        extraKeys: { config in
            [("attention.sliding_window", .uint32(UInt32(try config.optionalSize("sliding_window") ?? 0)))]
        },
        hints: { config in ForwardHints(windows: try config.windows(missing: nil)) })

    /// Of each head, the values that rotate.
    private static func phi3Dimensions(_ config: ModelConfig) -> Int {
        Int(config.partialRotaryFactor * Double(config.hiddenSize)) / config.heads
    }

    private static func phi3OriginalContext(_ config: ModelConfig) throws -> Int {
        try config.size("original_max_position_embeddings", missing: config.contextLength)
    }

    /// √(1 + ln(s) / ln(original)) where the context is s times the original.
    private static func phi3Magnitude(_ config: ModelConfig) throws -> Double {
        let original = try phi3OriginalContext(config)
        let scale = Double(config.contextLength) / Double(original)
        guard original > 1 else { throw ModelConfig.fault("'original_max_position_embeddings' has to exceed 1") }
        return scale <= 1 ? 1 : (1 + log(scale) / log(Double(original))).squareRoot()
    }
}

extension Architecture {
    static let phi3 = Architecture(name: "phi3", pairing: .halves, feedForward: .fusedGate)
}
