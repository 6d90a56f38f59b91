/// What holds for the tensors of every family.
enum TensorRules {
    /// Whether every conversion of a checkpoint keeps the tensor in F32: vectors, norms, routers, and whatever is no
    /// weight.
    /// - Parameters:
    ///   - name: the GGUF name.
    ///   - rank: dimensions of the checkpoint's tensor.
    static func staysF32(name: String, rank: Int) -> Bool {
        rank <= 1 || name.hasSuffix("_norm.weight") || !name.hasSuffix(".weight")
            || name.hasSuffix(".ffn_gate_inp.weight") || name.hasSuffix(".ffn_gate_inp_shexp.weight")
    }

    /// Buffers that old versions of transformers saved; nothing computes with them.
    static func isDroppable(_ checkpointName: String) -> Bool {
        [
            ".attention.masked_bias", ".attention.bias", ".rotary_emb.inv_freq", ".rotary_emb.cos_cached",
            ".rotary_emb.sin_cached",
        ].contains { checkpointName.hasSuffix($0) }
    }
}
