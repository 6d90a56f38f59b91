import QuernFormats

/// Which tensor of a mixture gets more or fewer bits than the preset's base type: the rules of llama.cpp's quantizer.
/// They count as they go, so tensors must come in the order of the artifact, and only those the rules are to decide.
struct MixtureRules {
    private let preset: Preset
    private let model: ModelFacts
    private let hasImportance: Bool
    /// The type asked for the output tensor, which tied embeddings follow.
    private let outputType: ElementType?
    private let hasTiedEmbeddings: Bool
    private let attentionVCount: Int
    private var attentionVSeen = 0
    private var downSeen = 0
    private var gateSeen = 0
    private var upSeen = 0

    /// - Parameter categories: of all tensors of the model.
    init(
        preset: Preset, model: ModelFacts, categories: [TensorCategory], hasImportance: Bool, outputType: ElementType?
    ) {
        self.preset = preset
        self.model = model
        self.hasImportance = hasImportance
        self.outputType = outputType
        hasTiedEmbeddings = !categories.contains(.output)
        attentionVCount = categories.count { $0.isAttentionV }
    }

    /// The type for the next tensor, before its shape is looked at.
    /// - Throws: `QuernError` `.invalidInput` where a feed-forward tensor of a model with experts has no layer number.
    mutating func type(of tensor: SourceTensor, _ facts: TensorFacts) throws(QuernError) -> ElementType {
        let base = preset.baseType
        let category = facts.category
        if category == .output || (hasTiedEmbeddings && category == .tokenEmbedding) {
            return outputType ?? outputDefault(columns: tensor.columns)
        }
        if preset == .mxfp4_moe { return expertDefault(tensor, category) }
        if category == .tokenEmbedding { return tokenEmbedding }
        if preset.isOneOrTwoBit { return fewBits(category) }
        switch category {
        case .attentionV, .attentionQKV, .attentionKVB:
            defer { attentionVSeen += 1 }
            return attentionV
        case .attentionK: return attentionK
        case .attentionQ: return preset == .iq3_xs ? .iq3_xxs : preset == .iq3_xxs ? .iq2_s : base
        case .attentionOutput: return attentionOutput
        case .feedForwardDown:
            let layer = try layer(facts, seen: downSeen)
            downSeen += 1
            return down(layer)
        case .feedForwardGate:
            let layer = try layer(facts, seen: gateSeen)
            gateSeen += 1
            return gateOrUp(layer)
        case .feedForwardUp:
            let layer = try layer(facts, seen: upSeen)
            upSeen += 1
            return gateOrUp(layer)
        case .tokenEmbedding, .output, .other: return base
        }
    }

    /// With experts the order of tensors says nothing about layers, so the name does.
    private func layer(_ facts: TensorFacts, seen: Int) throws(QuernError) -> Int {
        guard model.experts > 1 else { return seen }
        guard let block = facts.block, block < model.blocks else {
            throw QuernError(
                .invalidInput, "no layer of the model's \(model.blocks) by its name, which the preset's rules need")
        }
        return block
    }

    /// The first and the last eighth of layers, and every third between.
    private static func wantsMoreBits(_ layer: Int, of count: Int) -> Bool {
        layer < count / 8 || layer >= 7 * count / 8 || (layer - count / 8) % 3 == 2
    }

    private var isFalcon: Bool { model.architecture == "falcon" }

    private func outputDefault(columns: Int) -> ElementType {
        if preset == .mxfp4_moe || isFalcon || columns % preset.baseType.blockSize != 0 { return .q8_0 }
        if preset.isOneOrTwoBit || preset == .iq3_xxs { return .q5_K }
        return preset.baseType == .q8_0 ? .q8_0 : .q6_K
    }

    /// MXFP4_MOE: experts are the tensors of three dimensions. Where projections have three as well, the name decides.
    private func expertDefault(_ tensor: SourceTensor, _ category: TensorCategory) -> ElementType {
        let isFeedForward =
            category == .feedForwardUp || category == .feedForwardGate || category == .feedForwardDown
        let isExpert = tensor.shape.count > 2 && tensor.shape[2] > 1
        return isExpert && (model.architecture != "bailingmoe3" || isFeedForward) ? .mxfp4 : .q8_0
    }

    private var tokenEmbedding: ElementType {
        switch preset {
        case .iq1_s, .iq1_m, .iq2_xxs, .iq2_xs: .q2_K
        case .iq2_s, .iq2_m, .iq3_xxs: .iq3_s
        case .tq1_0, .tq2_0, .q2_0: .q4_K
        default: preset.baseType
        }
    }

    /// IQ1 and IQ2.
    private mutating func fewBits(_ category: TensorCategory) -> ElementType {
        let base = preset.baseType
        let better: ElementType = preset == .iq2_s || preset == .iq2_m ? .iq3_s : .q2_K
        switch category {
        case .attentionV, .attentionQKV, .attentionKVB:
            return model.grouping >= 4 || model.experts >= 4 ? .q4_K : better
        case .attentionK: return model.experts == 8 ? .q4_K : base
        case .feedForwardDown:
            defer { downSeen += 1 }
            return downSeen < model.blocks / 8 ? better : base
        case .attentionOutput:
            if model.experts == 8 { return .q5_K }
            if preset == .iq1_s || preset == .iq1_m { return .iq2_xxs }
            return preset == .iq2_s || preset == .iq2_m ? .iq3_s : base
        default: return base
        }
    }

    private var attentionV: ElementType {
        if model.experts == 8 { return .q8_0 }
        let type = attentionVByPreset
        return model.isSeventyBillion && (type == .q3_K || type == .q4_K) ? .q5_K : type
    }

    private var attentionVByPreset: ElementType {
        let isGrouped = model.grouping >= 4
        let base = preset.baseType
        switch preset {
        case .q2_K: return isGrouped ? .q4_K : .q3_K
        case .q2_K_S, .iq3_xs, .iq3_s: return isGrouped ? .q4_K : base
        case .iq3_xxs: return isGrouped ? .q4_K : hasImportance ? base : .iq3_s
        case .iq3_m: return .q4_K
        case .q3_K_M: return attentionVSeen < 2 ? .q5_K : .q4_K
        case .q3_K_L: return .q5_K
        case .iq4_nl, .iq4_xs: return isGrouped ? .q5_K : base
        case .q4_K_M, .q5_K_M: return Self.wantsMoreBits(attentionVSeen, of: attentionVCount) ? .q6_K : base
        case .q4_K_S: return attentionVSeen < 4 ? .q5_K : base
        default: return base
        }
    }

    private var attentionK: ElementType {
        if model.experts == 8 { return .q8_0 }
        return preset == .iq3_xs ? .iq3_xxs : preset == .iq3_xxs ? .iq2_s : preset.baseType
    }

    private var attentionOutput: ElementType {
        let base = preset.baseType
        if isFalcon { return preset == .q3_K_L ? .q4_K : base }
        if model.experts == 8 {
            switch preset {
            case .q2_K, .q3_K_S, .q3_K_M, .q4_K_S, .q4_K_M, .iq3_xxs, .iq3_xs, .iq3_s, .iq3_m, .iq4_nl, .iq4_xs:
                return .q5_K
            default: return base
            }
        }
        switch preset {
        case .q2_K: return .q3_K
        case .iq3_xxs: return .iq3_s
        case .q3_K_M, .iq3_m: return .q4_K
        case .q3_K_L: return .q5_K
        default: return base
        }
    }

    private func down(_ layer: Int) -> ElementType {
        let base = preset.baseType
        let count = model.blocks
        let isEarly = layer < count / 8
        let wantsMore = Self.wantsMoreBits(layer, of: count)
        switch preset {
        case .q2_K: return .q3_K
        case .q2_K_S: return isEarly ? .q4_K : base
        case .iq3_xxs: return hasImportance ? base : isEarly ? .q4_K : .q3_K
        case .q3_K_M: return layer < count / 16 ? .q5_K : !isFalcon || wantsMore ? .q4_K : .q3_K
        case .iq3_m: return isEarly || (model.experts == 8 && wantsMore) ? .q4_K : base
        case .q3_K_L: return isFalcon ? .q4_K : .q5_K
        case .q4_K_M where isFalcon: return layer < count / 16 ? .q6_K : wantsMore ? .q5_K : .q4_K
        case .q4_K_M, .q5_K_M: return wantsMore ? .q6_K : base
        case .iq4_nl, .iq4_xs: return isEarly && !hasImportance ? .q5_K : base
        case .q4_K_S: return isEarly && !isFalcon ? .q5_K : base
        // With an importance matrix the first layers can go astray in these types.
        case .q4_0: return isEarly && hasImportance ? .q4_1 : base
        case .q5_0: return isEarly && hasImportance ? .q5_1 : base
        default: return base
        }
    }

    private func gateOrUp(_ layer: Int) -> ElementType {
        let isInTheMiddle = layer >= model.blocks / 8 && layer < 7 * model.blocks / 8
        return preset == .iq3_xs && isInTheMiddle ? .iq3_xxs : preset.baseType
    }
}

extension Preset {
    /// IQ1 and IQ2, which have rules of their own.
    fileprivate var isOneOrTwoBit: Bool {
        switch self {
        case .iq1_s, .iq1_m, .iq2_xxs, .iq2_xs, .iq2_s, .iq2_m: true
        default: false
        }
    }
}
