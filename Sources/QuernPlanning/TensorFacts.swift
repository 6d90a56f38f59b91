/// What a mixture rule knows a tensor by.
enum TensorCategory: Sendable, Equatable {
    case tokenEmbedding, output
    case attentionQ, attentionK, attentionV, attentionQKV, attentionKVB, attentionOutput
    case feedForwardUp, feedForwardGate, feedForwardDown
    case other

    /// Whether it holds attention values, which suffer most from few bits.
    var isAttentionV: Bool { self == .attentionV || self == .attentionQKV || self == .attentionKVB }
}

/// What follows from a tensor's name and shape alone; computed once for all targets.
struct TensorFacts: Sendable {
    let category: TensorCategory
    /// N of `blk.N.`; nil outside blocks.
    let block: Int?
    /// Whether llama.cpp encodes such a tensor at all; `output.weight` may be left out by request.
    let isQuantizable: Bool
    /// The name's bytes, by which tensors are ordered.
    let name: [UInt8]

    init(_ tensor: SourceTensor) {
        name = Array(tensor.name.utf8)
        category = Self.category(of: name)
        block = Self.block(of: name)
        isQuantizable = tensor.dimensions >= 2 && Self.mayBeQuantized(name)
    }

    /// The order of tensors in an artifact: by block, those outside blocks first, then by name.
    static func precedes(_ left: TensorFacts, _ right: TensorFacts) -> Bool {
        let (leftBlock, rightBlock) = (left.block ?? -1, right.block ?? -1)
        return leftBlock == rightBlock ? left.name.lexicographicallyPrecedes(right.name) : leftBlock < rightBlock
    }

    private static func block(of name: [UInt8]) -> Int? {
        guard name.starts(with: "blk.".utf8) else { return nil }
        let digits = name.dropFirst(4).prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return Int(String(decoding: digits, as: UTF8.self))
    }

    private static func category(of name: [UInt8]) -> TensorCategory {
        if name == Array("output.weight".utf8) { return .output }
        if isTokenEmbedding(name) { return .tokenEmbedding }
        for (part, category) in categories where name.contains(part: Array(part.utf8)) { return category }
        return .other
    }

    /// The reference ignores a wrong importance entry for these, and asks for none.
    static func isTokenEmbedding(_ name: [UInt8]) -> Bool {
        name == Array("token_embd.weight".utf8) || name == Array("per_layer_token_embd.weight".utf8)
    }

    /// The first that occurs in a name decides.
    private static let categories: [(part: String, category: TensorCategory)] = [
        ("attn_qkv.weight", .attentionQKV), ("attn_kv_b.weight", .attentionKVB), ("attn_v.weight", .attentionV),
        ("attn_k.weight", .attentionK), ("attn_q.weight", .attentionQ), ("attn_output.weight", .attentionOutput),
        ("ffn_up", .feedForwardUp), ("ffn_gate", .feedForwardGate), ("ffn_down", .feedForwardDown),
    ]

    private static func mayBeQuantized(_ name: [UInt8]) -> Bool {
        name.suffix(6).elementsEqual("weight".utf8) && !keptNames.contains(name)
            && !keptParts.contains { name.contains(part: $0) }
    }

    /// Position and token-type embeddings.
    private static let keptNames: Set<[UInt8]> = [Array("position_embd.weight".utf8), Array("token_types.weight".utf8)]

    private static let keptParts: [[UInt8]] = [
        "_norm.weight",
        // Routers, and tables of expert ids.
        "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight",
        // Very small.
        "altup", "laurel", "per_layer_model_proj", "ssm_conv1d", "shortconv.conv.weight", "indexer.k_proj.weight",
        "indexer.q_proj.weight",
        // RWKV's small matrices.
        "time_mix_first.weight", "time_mix_w0.weight", "time_mix_w1.weight", "time_mix_w2.weight",
        "time_mix_v0.weight", "time_mix_v1.weight", "time_mix_v2.weight", "time_mix_a0.weight", "time_mix_a1.weight",
        "time_mix_a2.weight", "time_mix_g1.weight", "time_mix_g2.weight", "time_mix_decay_w1.weight",
        "time_mix_decay_w2.weight", "time_mix_lerp_fused.weight",
        // Relative positions (T5).
        "attn_rel_b.weight",
        // Vision.
        ".position_embd", "sam.pos_embd", "sam.neck.", "sam.net_", ".rel_pos", ".patch_embd", ".patch_merger",
        // Audio codebooks.
        "a.rvq.codebook", "mm.a.code_embd",
    ].map { Array($0.utf8) }
}

extension SourceTensor {
    /// The rank without trailing ones, at least 1.
    var dimensions: Int { (shape.lastIndex { $0 > 1 } ?? 0) + 1 }
}

extension [UInt8] {
    /// Whether `part`, which is not empty, occurs. Names are short: trying every place is fastest.
    func contains(part: [UInt8]) -> Bool {
        guard let first = part.first, count >= part.count else { return false }
        for start in 0...(count - part.count)
        where self[start] == first && self[start..<(start + part.count)].elementsEqual(part) {
            return true
        }
        return false
    }
}
