/// What computes models: for calibration, measuring, evaluation and logits.
///
/// The last digits of matrix products depend on it. So an item says which it takes, and gets no other.
public enum ForwardDevice: String, Sendable, Codable, CaseIterable {
    case cpu
    /// NVIDIA cards.
    case cuda
}

/// What an item takes of a worker, and a worker has: a stage and, for one that computes on a model, what does.
public struct Capability: Hashable, Sendable {
    public let stage: Stage
    /// The processor where nothing is computed on a model.
    public let forward: ForwardDevice

    public init(_ stage: Stage, forward: ForwardDevice = .cpu) {
        self.stage = stage
        self.forward = stage.computesOnModels ? forward : .cpu
    }

    /// As job databases have it: the stage's name, and `@cuda` behind it where it takes cards.
    public var name: String { forward == .cpu ? stage.rawValue : "\(stage.rawValue)@\(forward.rawValue)" }

    /// - Returns: nil for the name of none that this version knows.
    public init?(name: String) {
        let parts = name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard let stage = Stage(rawValue: String(parts[0])) else { return nil }
        guard parts.count == 2 else {
            self.init(stage)
            return
        }
        guard let forward = ForwardDevice(rawValue: String(parts[1])) else { return nil }
        self.init(stage, forward: forward)
        guard self.name == name else { return nil }
    }
}

extension Stage {
    /// Whether the stage computes on a model, which takes a library that not every machine has.
    public var computesOnModels: Bool {
        switch self {
        case .calibrate, .measure, .evaluate: true
        case .digest, .tokenize, .merge, .scan, .balance, .factor, .collect, .encode, .assemble, .publish: false
        }
    }
}

extension WorkPayload {
    /// What the item takes.
    public var capability: Capability {
        switch self {
        case .calibrate(let work): Capability(.calibrate, forward: work.forward ?? .cpu)
        case .measure(let work): Capability(.measure, forward: work.forward ?? .cpu)
        case .evaluate(let work): Capability(.evaluate, forward: work.forward ?? .cpu)
        case .digest, .tokenize, .merge, .scan, .balance, .factor, .collect, .encode, .assemble, .publish:
            Capability(stage)
        }
    }
}

extension SessionRequest {
    /// What the worker has.
    public var capabilities: [Capability] {
        stages.flatMap { stage in
            stage.computesOnModels
                ? (forward ?? [.cpu]).map { Capability(stage, forward: $0) } : [Capability(stage)]
        }
    }
}
