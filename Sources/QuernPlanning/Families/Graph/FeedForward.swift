/// What follows attention in a layer.
public enum FeedForward: Sendable, Equatable {
    case dense(DenseFeedForward)
    case experts(ExpertFeedForward)

    public var linearInputs: [LinearInput] {
        switch self {
        case .dense(let dense): dense.linearInputs
        case .experts(let experts): experts.linearInputs
        }
    }
}

public enum Activation: Sendable, Equatable {
    /// silu(gate)·up
    case silu
    /// gelu(gate)·up, gelu in its tanh form; without a gate gelu(up)
    case gelu
    /// (min(up, limit) clamped from below too, plus 1) · g·sigmoid(alpha·g), g = min(gate, limit): gpt-oss
    case clampedSilu(alpha: Float, limit: Float)
}

/// down(activation(gate(x), up(x))), or down(activation(up(x))) where there is no gate.
public struct DenseFeedForward: Sendable, Equatable {
    /// Outputs [gate | up], or [up] alone.
    public let up: Linear
    public let input: LinearInput
    public let isGated: Bool
    public let activation: Activation
    public let down: Linear
    public let downInput: LinearInput

    /// Width between the two.
    public var width: Int { down.inputs }
    var linearInputs: [LinearInput] { [input, downInput] }
}

/// A mixture of experts: the router chooses some for every row, and their outputs are added by weight.
public struct ExpertFeedForward: Sendable, Equatable {
    /// What reads every row: the router and shared experts.
    public let input: LinearInput
    public let router: Linear
    public let routing: Routing
    /// Outputs of each expert [gate | up].
    public let up: Linear
    public let upInput: LinearInput
    public let activation: Activation
    public let down: Linear
    public let downInput: LinearInput
    public let shared: SharedExpert?

    var linearInputs: [LinearInput] {
        [input, upInput, downInput] + (shared.map { [$0.downInput] } ?? [])
    }
}

/// How experts are chosen and weighted.
public struct Routing: Sendable, Equatable {
    public let experts: Int
    public let used: Int
    public let scoring: ExpertScoring
    /// Added to the scores for the choice only, [experts].
    public let choiceBias: String?
    /// Experts form `count` groups of neighbours, of which only the best `used` take part; a group is as good as its
    /// two best experts together.
    public let groups: Groups?
    /// Whether weights are divided by their sum.
    public let normalizes: Bool
    public let scale: Float

    public struct Groups: Sendable, Equatable {
        public let count: Int
        public let used: Int
    }
}

/// An expert that sees every row.
public struct SharedExpert: Sendable, Equatable {
    /// Outputs [gate | up].
    public let up: Linear
    public let down: Linear
    public let downInput: LinearInput
    /// A matrix [1, hidden]: the output is multiplied with the sigmoid of its product.
    public let gate: Linear?
}
