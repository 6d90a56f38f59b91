import QuernFormats
import QuernJobs

/// What `quern plan --json` prints.
public struct PlanReport: Sendable, Codable, Equatable {
    public struct Target: Sendable, Codable, Equatable {
        public let target: String
        /// Of all files; the most there may be where types are yet to be chosen.
        public let bytes: UInt64
        /// The least there may be, where types are yet to be chosen.
        public let smallest: UInt64?
        public let files: [PlannedArtifact.File]
        public let tensors: [Tensor]
        /// What it is expected to diverge by, in nats, where types or schemes were chosen by what they cost.
        public let divergence: Double?
    }

    public struct Tensor: Sendable, Codable, Equatable {
        public let name: String
        /// In the order of the artifact's format: GGUF innermost first, safetensors outermost first.
        public let shape: [Int]
        public let sourceType: TensorType
        public let type: TensorType
        /// Of the layer that it belongs to, in a folder of safetensors.
        public let scheme: String?
        public let bytes: UInt64

        enum CodingKeys: String, CodingKey {
            case name, shape, type, scheme, bytes
            case sourceType = "source_type"
        }
    }

    public let source: String
    public let targets: [Target]
    public let workItems: Int
    public let peakMemoryBytes: Int64
    public let refusals: [Refusal]
    /// What the user should know and nothing fails for.
    public let warnings: [String]

    enum CodingKeys: String, CodingKey {
        case source, targets, refusals, warnings
        case workItems = "work_items"
        case peakMemoryBytes = "peak_memory_bytes"
    }

    public init(_ plan: Plan) {
        source = plan.sourceName
        targets = plan.targets.map { target in
            Target(
                target: target.target, bytes: target.bytes, smallest: target.bounds?.lowerBound, files: target.files,
                tensors: target.tensors.map {
                    Tensor(
                        name: $0.name, shape: $0.shape, sourceType: $0.sourceType, type: $0.type, scheme: $0.scheme,
                        bytes: $0.bytes)
                }, divergence: target.divergence)
        }
        workItems = plan.items.count
        peakMemoryBytes = plan.peakMemory
        refusals = plan.refusals
        warnings = plan.warnings
    }
}
