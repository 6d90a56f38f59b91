import Foundation

extension GraphBuilder {
    func attention(_ layer: Int) throws -> Attention {
        architecture.attention == .latent ? try latentAttention(layer) : try groupedAttention(layer)
    }

    private func groupedAttention(_ layer: Int) throws -> Attention {
        let heads = try metadata.size("attention.head_count", layer: layer)
        let keyValueHeads = try metadata.count("attention.head_count_kv", layer: layer) ?? heads
        guard keyValueHeads > 0, heads % keyValueHeads == 0 else {
            throw GraphKeys.fault(
                "\(heads) heads of queries for \(keyValueHeads) of keys",
                "key '\(architecture.name).attention.head_count'")
        }
        let keyLength = try metadata.count("attention.key_length") ?? hiddenSize / heads
        let valueLength = try metadata.count("attention.value_length") ?? hiddenSize / heads
        let block = "blk.\(layer)."
        let widths = [heads * keyLength, keyValueHeads * keyLength, keyValueHeads * valueLength]
        let parts: [(String, Int)] =
            has(block + "attn_qkv.weight")
            ? [(block + "attn_qkv", widths.reduce(0, +))]
            : zip(["attn_q", "attn_k", "attn_v"], widths).map { (block + $0, $1) }
        let linear = try linear(parts, inputs: hiddenSize)
        let isWhole = architecture.queryKeyNorms == .allHeads
        func norm(_ name: String, heads: Int) throws -> Norm? {
            guard architecture.queryKeyNorms != .none else { return nil }
            return try self.norm(block + name, width: isWhole ? heads * keyLength : keyLength)
        }
        let projections = GroupedProjections(
            linear: linear, input: input(of: linear, layer: layer),
            queryNorm: try norm("attn_q_norm", heads: heads), keyNorm: try norm("attn_k_norm", heads: keyValueHeads),
            normsHeads: !isWhole)
        let window = try window(layer)
        let output = try self.linear([(block + "attn_output", hiddenSize)], inputs: heads * valueLength)
        let divisor = layerCount == architecture.layersScaledByQuotient ? hiddenSize / heads : keyLength
        let stated = try model.hints.attentionScale ?? self.scale("attention.scale").map(Double.init)
        return Attention(
            heads: heads, keyValueHeads: keyValueHeads, keyLength: keyLength, valueLength: valueLength,
            projections: .grouped(projections),
            rope: try rope(keyLength: keyLength, isWindowed: window != nil),
            scale: Float(stated ?? 1 / Double(divisor).squareRoot()), softCap: try self.scale("attn_logit_softcapping"),
            window: window,
            sinks: architecture.attention == .groupedWithSinks
                ? try take(block + "attn_sinks.weight", shape: [heads]) : nil,
            output: output, outputInput: input(of: output, layer: layer))
    }

    private func latentAttention(_ layer: Int) throws -> Attention {
        let heads = try metadata.size("attention.head_count", layer: layer)
        let latent = try metadata.size("attention.kv_lora_rank")
        let rotated = try metadata.size("rope.dimension_count")
        let keyLength = try metadata.size("attention.key_length_mla")
        let valueLength = try metadata.size("attention.value_length_mla")
        guard keyLength > rotated else {
            throw GraphKeys.fault(
                "\(keyLength) entries of a head, of which \(rotated) are rotated",
                "key '\(architecture.name).attention.key_length_mla'")
        }
        let plain = keyLength - rotated
        let block = "blk.\(layer)."
        let down = try linear([(block + "attn_kv_a_mqa", latent + rotated)], inputs: hiddenSize)
        var queryDown: LatentProjections.LowRank?
        let query: Linear
        let queryInput: LinearInput
        let keyValueInput: LinearInput
        if has(block + "attn_q_a.weight") {
            let rank = try metadata.size("attention.q_lora_rank")
            let linear = try linear([(block + "attn_q_a", rank)], inputs: hiddenSize)
            let input = LinearInput(
                tensors: [block + "attn_q_a.weight", block + "attn_kv_a_mqa.weight"], channels: hiddenSize, layer: layer
            )
            queryDown = LatentProjections.LowRank(
                down: linear, norm: try norm(block + "attn_q_a_norm", width: rank), input: input)
            query = try self.linear([(block + "attn_q_b", heads * keyLength)], inputs: rank)
            queryInput = self.input(of: query, layer: layer)
            keyValueInput = input
        } else {
            query = try linear([(block + "attn_q", heads * keyLength)], inputs: hiddenSize)
            queryInput = LinearInput(
                tensors: [block + "attn_q.weight", block + "attn_kv_a_mqa.weight"], channels: hiddenSize, layer: layer)
            keyValueInput = queryInput
        }
        let keyUp = try linear([(block + "attn_k_b", latent)], inputs: plain, matrices: heads)
        let valueUp = try linear([(block + "attn_v_b", valueLength)], inputs: latent, matrices: heads)
        let output = try linear([(block + "attn_output", hiddenSize)], inputs: heads * valueLength)
        let projections = LatentProjections(
            queryDown: queryDown, query: query, queryInput: queryInput, keyValueDown: down,
            keyValueInput: keyValueInput, keyValueNorm: try norm(block + "attn_kv_a_norm", width: latent),
            keyValueUpInput: LinearInput(tensors: [block + "attn_kv_b.weight"], channels: latent, layer: layer),
            keyUp: keyUp, keyUpInput: input(of: keyUp, layer: layer),
            valueUp: valueUp, valueUpInput: input(of: valueUp, layer: layer),
            plain: plain, rotated: rotated, latent: latent)
        let rope = try rope(keyLength: rotated, isWindowed: false)
        return Attention(
            heads: heads, keyValueHeads: 1, keyLength: latent + rotated, valueLength: latent,
            projections: .latent(projections), rope: rope, scale: Float(try latentScale(keyLength, rope)), softCap: nil,
            window: try window(layer), sinks: nil, output: output, outputInput: input(of: output, layer: layer))
    }

    /// With YaRN, scores are multiplied with the square of 0.1·mscale_all_dim·ln(factor) + 1 as well.
    private func latentScale(_ keyLength: Int, _ rope: Rope) throws -> Double {
        if let scale = model.hints.attentionScale { return scale }
        let scale = 1 / Double(keyLength).squareRoot()
        guard let yarn = rope.yarn, yarn.factor > 1,
            let multiplier = try metadata.number("rope.scaling.yarn_log_multiplier")
        else { return scale }
        let magnitude = 1 + multiplier * log(yarn.factor)
        return scale * magnitude * magnitude
    }

    func input(of linear: Linear, layer: Int) -> LinearInput {
        LinearInput(
            tensors: linear.parts.map(\.weight), channels: linear.inputs, matrices: linear.matrices, layer: layer)
    }

    /// - Returns: nil where the layer sees everything before it.
    private func window(_ layer: Int) throws -> Int? {
        if let windows = model.hints.windows { return windows[layer] > 0 ? windows[layer] : nil }
        guard case .period(let usual, _) = architecture.windows,
            let window = try metadata.count("attention.sliding_window"), window > 0
        else { return nil }
        let key = "attention.sliding_window_pattern"
        if let flags = metadata.flags(key) {
            guard flags.indices.contains(layer) else {
                throw GraphKeys.fault("it says nothing of layer \(layer)", "key '\(architecture.name).\(key)'")
            }
            return flags[layer] ? window : nil
        }
        let period = try metadata.count(key) ?? usual
        return period == 0 || layer % period < period - 1 ? window : nil
    }
}
