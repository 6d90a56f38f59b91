import Foundation

extension GraphBuilder {
    /// - Parameter keyLength: entries of a head that may be rotated.
    func rope(keyLength: Int, isWindowed: Bool) throws -> Rope {
        let dimensions = try metadata.count("rope.dimension_count") ?? keyLength
        guard dimensions > 0, dimensions <= keyLength, dimensions % 2 == 0 else {
            throw GraphKeys.fault(
                "\(dimensions) of \(keyLength) entries of a head are to be rotated in pairs",
                "key '\(architecture.name).rope.dimension_count'")
        }
        var base = try model.hints.ropeTheta ?? metadata.number("rope.freq_base") ?? 10_000
        if isWindowed, case .period(_, rope: .unscaled(let usual)) = architecture.windows {
            base = try metadata.number("rope.freq_base_swa") ?? usual ?? base
            return Rope(
                pairing: architecture.pairing, dimensions: dimensions, base: try positive(base),
                frequencyScale: 1, yarn: nil, factors: nil, magnitude: 1)
        }
        let type = metadata.text("rope.scaling.type") ?? "linear"
        let stated = try metadata.number("rope.scaling.factor") ?? metadata.number("rope.scale_linear") ?? 0
        let factor = type == "none" || stated == 0 ? 1 : try positive(stated)
        let yarn = type == "yarn" ? try self.yarn(factor: factor) : nil
        let magnitude = try metadata.number("rope.scaling.attn_factor") ?? 1
        return Rope(
            pairing: architecture.pairing, dimensions: dimensions, base: try positive(base),
            frequencyScale: 1 / factor, yarn: yarn, factors: try factors(count: dimensions / 2),
            magnitude: yarn == nil ? magnitude : try magnitude * yarnMagnitude(factor))
    }

    private func yarn(factor: Double) throws -> Rope.Yarn {
        Rope.Yarn(
            factor: factor, originalContext: try originalContext(),
            betaFast: try metadata.number("rope.scaling.yarn_beta_fast") ?? 32,
            betaSlow: try metadata.number("rope.scaling.yarn_beta_slow") ?? 1,
            extrapolation: try metadata.number("rope.scaling.yarn_ext_factor") ?? 1,
            truncates: model.hints.yarnTruncates ?? true)
    }

    /// Where scores are scaled by a logarithm of the factor too, cos and sin are divided by what that gives.
    private func yarnMagnitude(_ factor: Double) throws -> Double {
        if let magnitude = model.hints.yarnMagnitude { return magnitude }
        let isLatent = architecture.attention == .latent
        if isLatent, try metadata.number("rope.scaling.yarn_log_multiplier") ?? 0 != 0 { return 1 }
        return factor <= 1 ? 1 : 0.1 * log(factor) + 1
    }

    private func originalContext() throws -> Int {
        try metadata.count("rope.scaling.original_context_length") ?? metadata.size("context_length")
    }

    private func factors(count: Int) throws -> Rope.Factors? {
        if let tensor = try takeIfThere("rope_freqs.weight", shape: [count]) { return .tensor(tensor) }
        guard let short = try takeIfThere("rope_factors_short.weight", shape: [count]),
            let long = try takeIfThere("rope_factors_long.weight", shape: [count])
        else { return nil }
        return .byLength(short: short, long: long, originalContext: try originalContext())
    }

    private func positive(_ value: Double) throws -> Double {
        guard value > 0 else { throw GraphKeys.fault("\(value) is not positive", "keys '\(architecture.name).rope.*'") }
        return value
    }
}
