extension GraphBuilder {
    func feedForward(_ layer: Int) throws -> FeedForward {
        has("blk.\(layer).ffn_gate_inp.weight") ? .experts(try experts(layer)) : .dense(try dense(layer))
    }

    private func dense(_ layer: Int) throws -> DenseFeedForward {
        let block = "blk.\(layer)."
        let width = try width(of: block + "ffn_down.weight", outputs: hiddenSize)
        let parts: [(String, Int)] =
            switch architecture.feedForward {
            case .gated: [(block + "ffn_gate", width), (block + "ffn_up", width)]
            case .fusedGate: [(block + "ffn_up", 2 * width)]
            case .ungated: [(block + "ffn_up", width)]
            }
        let up = try linear(parts, inputs: hiddenSize)
        let down = try linear([(block + "ffn_down", hiddenSize)], inputs: width)
        return DenseFeedForward(
            up: up, input: input(of: up, layer: layer), isGated: architecture.feedForward != .ungated,
            activation: architecture.activation, down: down, downInput: input(of: down, layer: layer))
    }

    private func experts(_ layer: Int) throws -> ExpertFeedForward {
        let block = "blk.\(layer)."
        let count = try metadata.size("expert_count")
        let width = try width(of: block + "ffn_down_exps.weight", outputs: hiddenSize)
        let router = try linear([(block + "ffn_gate_inp", count)], inputs: hiddenSize)
        let parts: [(String, Int)] =
            has(block + "ffn_gate_up_exps.weight")
            ? [(block + "ffn_gate_up_exps", 2 * width)]
            : [(block + "ffn_gate_exps", width), (block + "ffn_up_exps", width)]
        let up = try linear(parts, inputs: hiddenSize, matrices: count)
        let down = try linear([(block + "ffn_down_exps", hiddenSize)], inputs: width, matrices: count)
        let shared = try sharedExpert(layer)
        let readers =
            router.parts.map(\.weight) + (shared?.gate?.parts.map(\.weight) ?? [])
            + (shared?.up.parts.map(\.weight) ?? [])
        return ExpertFeedForward(
            input: LinearInput(tensors: readers, channels: hiddenSize, layer: layer), router: router,
            routing: try routing(layer, experts: count), up: up, upInput: input(of: up, layer: layer),
            activation: architecture.activation, down: down, downInput: input(of: down, layer: layer), shared: shared)
    }

    private func sharedExpert(_ layer: Int) throws -> SharedExpert? {
        let block = "blk.\(layer)."
        guard has(block + "ffn_down_shexp.weight") else { return nil }
        let width = try width(of: block + "ffn_down_shexp.weight", outputs: hiddenSize)
        let down = try linear([(block + "ffn_down_shexp", hiddenSize)], inputs: width)
        return SharedExpert(
            up: try linear(
                [(block + "ffn_gate_shexp", width), (block + "ffn_up_shexp", width)], inputs: hiddenSize),
            down: down, downInput: input(of: down, layer: layer),
            gate: has(block + "ffn_gate_inp_shexp.weight")
                ? try linear([(block + "ffn_gate_inp_shexp", 1)], inputs: hiddenSize) : nil)
    }

    private func routing(_ layer: Int, experts: Int) throws -> Routing {
        let used = try metadata.size("expert_used_count")
        guard used <= experts else {
            throw GraphKeys.fault("\(used) of \(experts) experts", "key '\(architecture.name).expert_used_count'")
        }
        return Routing(
            experts: experts, used: used,
            scoring: try model.hints.expertScoring ?? scoring() ?? architecture.routing.scoring,
            choiceBias: try takeIfThere("blk.\(layer).exp_probs_b.bias", shape: [experts]),
            groups: try groups(experts: experts, used: used),
            normalizes: try model.hints.normalizesExpertWeights ?? metadata.flag("expert_weights_norm")
                ?? architecture.routing.normalizes,
            scale: try scale("expert_weights_scale") ?? 1)
    }

    /// - Returns: nil where the metadata say nothing.
    private func scoring() throws -> ExpertScoring? {
        switch try metadata.count("expert_gating_func") {
        case nil, 0: return nil
        case 1: return .softmax
        case 2: return .sigmoid
        case 3: return .softmaxOfChosen
        case let other?:
            throw GraphKeys.fault("\(other) is unknown", "key '\(architecture.name).expert_gating_func'")
        }
    }

    private func groups(experts: Int, used: Int) throws -> Routing.Groups? {
        guard let count = try metadata.count("expert_group_count"), count > 1 else { return nil }
        let usedGroups = try metadata.size("expert_group_used_count")
        guard experts % count == 0, experts / count >= 2, usedGroups <= count, usedGroups * (experts / count) >= used
        else {
            throw GraphKeys.fault(
                "\(used) experts from \(usedGroups) of \(count) groups of \(experts) experts",
                "key '\(architecture.name).expert_group_count'")
        }
        return Routing.Groups(count: count, used: usedGroups)
    }

    /// The width between two matrices is nowhere but in their shapes.
    private func width(of name: String, outputs: Int) throws -> Int {
        guard let shape = shape(name), shape.count >= 2, shape[1] == outputs, shape[0] > 0 else {
            throw GraphKeys.fault("there is no matrix of \(outputs) rows", "tensor '\(name)'")
        }
        return shape[0]
    }
}
