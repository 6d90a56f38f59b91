import Foundation
import QuernFormats

/// How positions are turned into rotations: `rope_theta` with `rope_scaling`, or `rope_parameters` (transformers 5).
struct RopeParameters: Sendable {
    enum Scaling: Sendable {
        case none
        case linear(factor: Double)
        case yarn(Yarn)
        case llama3(Llama3)
        case longrope(LongRope)
    }

    struct Yarn: Sendable {
        let factor: Double
        let originalContext: Int
        let betaFast: Double?
        let betaSlow: Double?
        let extrapolationFactor: Double?
        let attentionFactor: Double?
        /// DeepSeek's two ways to scale attention with the context.
        let magnitude: Double?
        let magnitudeOfAll: Double?
        /// Whether the bounds of the ramp are whole dimensions.
        let truncates: Bool

        /// 0.1·m·ln(factor) + 1: what scores are multiplied with where the context grows.
        func scale(_ magnitude: Double) -> Double { factor <= 1 ? 1 : 0.1 * magnitude * log(factor) + 1 }

        /// What cos and sin are multiplied with, as transformers does it.
        var cosineScale: Double {
            if let attentionFactor { return attentionFactor }
            guard let magnitude, let magnitudeOfAll, magnitude != 0, magnitudeOfAll != 0 else { return scale(1) }
            return scale(magnitude) / scale(magnitudeOfAll)
        }
    }

    /// Divisors of the inverse frequencies: for texts within the original context, and for longer ones.
    struct LongRope: Sendable {
        let short: [Float]
        let long: [Float]
        /// What cos and sin are multiplied with, where it is said.
        let attentionFactor: Double?
    }

    /// Frequencies are divided by `factor` where the wave is longer than the original context allows.
    struct Llama3: Sendable {
        let factor: Double
        let lowFrequencyFactor: Double
        let highFrequencyFactor: Double
        let originalContext: Int
    }

    let theta: Double
    /// Of layers with a window, where they have their own.
    let localTheta: Double?
    let partialRotaryFactor: Double?
    let scaling: Scaling

    init(fields: JSONObject, defaultTheta: Double) throws {
        let name = ModelConfig.present(fields, "rope_parameters") != nil ? "rope_parameters" : "rope_scaling"
        var theta = try ModelConfig.number(fields, "rope_theta")
        var localTheta = try ModelConfig.number(fields, "rope_local_base_freq")
        partialRotaryFactor = try ModelConfig.present(fields, name)?.object.flatMap {
            try ModelConfig.number($0, "partial_rotary_factor")
        }
        if let value = ModelConfig.present(fields, name) {
            guard var parameters = value.object else { throw ModelConfig.fault("'\(name)' has to be an object") }
            // transformers 5 has parameters for each kind of layer.
            if let sliding = parameters["sliding_attention"]?.object {
                localTheta = try ModelConfig.number(sliding, "rope_theta") ?? localTheta
            }
            if let full = parameters["full_attention"]?.object { parameters = full }
            theta = try ModelConfig.number(parameters, "rope_theta") ?? theta
            scaling = try Self.scaling(parameters, of: fields)
        } else {
            scaling = .none
        }
        self.theta = theta ?? defaultTheta
        self.localTheta = localTheta
        guard self.theta > 0, localTheta ?? 1 > 0 else { throw ModelConfig.fault("'rope_theta' has to be positive") }
    }

    private static func scaling(_ parameters: JSONObject, of fields: JSONObject) throws -> Scaling {
        let type = (parameters["rope_type"] ?? parameters["type"])?.string ?? "default"
        switch type {
        case "default", "dynamic":
            // Dynamic scaling acts beyond the trained context only; GGUF has no key for it.
            return .none
        case "linear":
            return .linear(factor: try factor(parameters))
        case "yarn":
            return .yarn(
                Yarn(
                    factor: try factor(parameters),
                    originalContext: try originalContext(parameters, of: fields),
                    betaFast: try ModelConfig.number(parameters, "beta_fast"),
                    betaSlow: try ModelConfig.number(parameters, "beta_slow"),
                    extrapolationFactor: try ModelConfig.number(parameters, "extrapolation_factor"),
                    attentionFactor: try ModelConfig.number(parameters, "attention_factor")
                        ?? ModelConfig.number(parameters, "attn_factor"),
                    magnitude: try ModelConfig.number(parameters, "mscale"),
                    magnitudeOfAll: try ModelConfig.number(parameters, "mscale_all_dim"),
                    truncates: try ModelConfig.flag(parameters, "truncate") ?? true))
        case "longrope", "su":
            return .longrope(
                LongRope(
                    short: try factors(parameters, "short_factor"), long: try factors(parameters, "long_factor"),
                    attentionFactor: try ModelConfig.number(parameters, "attention_factor")))
        case "llama3":
            let low = try ModelConfig.number(parameters, "low_freq_factor") ?? 1
            let high = try ModelConfig.number(parameters, "high_freq_factor") ?? 4
            guard low > 0, high > low else {
                throw ModelConfig.fault(
                    "'high_freq_factor' has to be greater than 'low_freq_factor', and both positive")
            }
            return .llama3(
                Llama3(
                    factor: try factor(parameters), lowFrequencyFactor: low, highFrequencyFactor: high,
                    originalContext: try originalContext(parameters, of: fields)))
        default:
            throw QuernError(
                .unsupported, "RoPE scaling of type '\(type)' is unknown", at: "config.json",
                remedy:
                    "Known are default, dynamic, linear, yarn, llama3 and longrope. A GGUF of any kind works as a source"
            )
        }
    }

    private static func factor(_ parameters: JSONObject) throws -> Double {
        guard let factor = try ModelConfig.number(parameters, "factor"), factor > 0 else {
            throw ModelConfig.fault("the RoPE scaling needs a positive 'factor'")
        }
        return factor
    }

    private static func factors(_ parameters: JSONObject, _ key: String) throws -> [Float] {
        let factors = (ModelConfig.present(parameters, key)?.array ?? []).compactMap(\.double).map(Float.init)
        guard !factors.isEmpty, factors.allSatisfy({ $0 > 0 && $0.isFinite }),
            factors.count == parameters[key]?.array?.count
        else { throw ModelConfig.fault("the RoPE scaling needs '\(key)': positive numbers") }
        return factors
    }

    private static func originalContext(_ parameters: JSONObject, of fields: JSONObject) throws -> Int {
        let key = "original_max_position_embeddings"
        if let size = try ModelConfig.optionalSize(parameters, key) ?? ModelConfig.optionalSize(fields, key) {
            return size
        }
        throw ModelConfig.fault("the RoPE scaling needs '\(key)'")
    }
}
