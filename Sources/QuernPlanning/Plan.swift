import QuernFormats
import QuernJobs
import QuernStore

/// All that will happen for a recipe, known before anything happens.
public struct Plan: Sendable {
    public let name: String
    /// The source's own name.
    public let sourceName: String
    public let targets: [TargetPlan]
    /// Targets or tensors that cannot be made, and why. A job is only submitted where this is empty.
    public let refusals: [Refusal]
    /// What the user should know and nothing fails for.
    public let warnings: [String]
    /// In order of ordinal; empty where there are refusals. Where types are yet to be measured for, the last is the collect
    /// item, and a plan made with its result begins with all of these.
    public let items: [PlannedItem]
    /// What items refer to and no item makes: headers, importance vectors, computed tensors.
    public let blobs: [Digest: [UInt8]]
    /// What a job store keeps of the targets.
    public var artifacts: [PlannedArtifact] { targets.map { PlannedArtifact(target: $0.target, files: $0.files) } }
    /// Peak bytes of memory for one worker slot.
    public let peakMemory: Int64

    public init(
        name: String, sourceName: String, targets: [TargetPlan], refusals: [Refusal],
        warnings: [String] = [], items: [PlannedItem], blobs: [Digest: [UInt8]], peakMemory: Int64
    ) {
        self.name = name
        self.sourceName = sourceName
        self.targets = targets
        self.refusals = refusals
        self.warnings = warnings
        self.items = items
        self.blobs = blobs
        self.peakMemory = peakMemory
    }
}

/// One artifact: its files and the type of every tensor in it.
public struct TargetPlan: Sendable {
    /// As the user spelled it: `Q4_K_M`.
    public let target: String
    public let files: [PlannedArtifact.File]
    /// In the order of the artifact.
    public let tensors: [PlannedTensor]
    /// The bytes that all files may come to, where types are yet to be chosen; there are no files and tensors then.
    public let bounds: ClosedRange<UInt64>?
    /// What it is expected to diverge by, in nats, where types or schemes were chosen by what they cost.
    public let divergence: Double?
    /// Where types are yet to be chosen, the most there may be.
    public var bytes: UInt64 { bounds?.upperBound ?? files.reduce(0) { $0 + $1.bytes } }

    public init(
        target: String, files: [PlannedArtifact.File], tensors: [PlannedTensor], bounds: ClosedRange<UInt64>? = nil,
        divergence: Double? = nil
    ) {
        self.bounds = bounds
        self.divergence = divergence
        self.target = target
        self.files = files
        self.tensors = tensors
    }
}

public struct PlannedTensor: Sendable, Equatable {
    public let name: String
    public let shape: [Int]
    public let sourceType: TensorType
    public let type: TensorType
    /// Of the layer that it belongs to; nil for what no scheme speaks of.
    public let scheme: String?
    /// Weights of the model that it holds.
    public let weights: Int
    public let bytes: UInt64

    /// - Parameter weights: nil for as many as it has elements.
    public init(
        name: String, shape: [Int], sourceType: TensorType, type: TensorType, scheme: String? = nil,
        weights: Int? = nil, bytes: UInt64
    ) {
        self.name = name
        self.scheme = scheme
        self.weights = weights ?? shape.reduce(1, *)
        self.shape = shape
        self.sourceType = sourceType
        self.type = type
        self.bytes = bytes
    }
}

public struct Refusal: Sendable, Hashable, Codable {
    public let target: String
    /// The tensor it is about; nil where it is the target as a whole.
    public let tensor: String?
    public let reason: String

    public init(target: String, tensor: String?, reason: String) {
        self.target = target
        self.tensor = tensor
        self.reason = reason
    }

    /// `tensor` is written as null where there is none.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(target, forKey: .target)
        try container.encode(tensor, forKey: .tensor)
        try container.encode(reason, forKey: .reason)
    }

    /// Refusals in one line: those with the same reason together, their tensors named, long lists cut short.
    public static func summary(_ refusals: [Refusal]) -> String {
        var order: [Refusal] = []
        var tensors: [Refusal: [String]] = [:]
        for refusal in refusals {
            let kind = Refusal(target: refusal.target, tensor: nil, reason: refusal.reason)
            if tensors[kind] == nil { order.append(kind) }
            tensors[kind, default: []] += refusal.tensor.map { [$0] } ?? []
        }
        let lines = order.prefix(8).map { kind in
            let names = tensors[kind] ?? []
            let rest = names.count > 4 ? " and \(names.count - 4) more" : ""
            let place = names.isEmpty ? "" : " (\(names.prefix(4).joined(separator: ", "))\(rest))"
            return "\(kind.target): \(kind.reason)\(place)"
        }
        return lines.joined(separator: "; ") + (order.count > 8 ? "; and \(order.count - 8) more reasons" : "")
    }
}
