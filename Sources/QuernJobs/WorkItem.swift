import QuernFormats
import QuernStore

/// The kinds of work, in the order in which bytes pass through them.
public enum Stage: String, Sendable, Codable, CaseIterable {
    /// Hash a source file.
    case digest
    /// Cut a text into chunks of tokens.
    case tokenize
    /// Run chunks through the model for the statistics of its linear layers' inputs.
    case calibrate
    /// Add up the statistics of all groups of chunks.
    case merge
    /// Find the largest weights of layers that share a scale.
    case scan
    /// Find by what the channels of an input are divided so that its weights round better.
    case balance
    /// Factor the Gram matrix of an input.
    case factor
    /// Find out what it costs to have tensors in one type or another.
    case measure
    /// Put together what was measured.
    case collect
    /// Encode spans of the source into parts.
    case encode
    /// Write one artifact file from its header and parts.
    case assemble
    /// Run chunks through the source and the artifacts, and compare what they predict.
    case evaluate
    /// Write the manifest, which makes the output whole. The last item of a plan that is whole.
    case publish
}

/// What a worker is told: everything an item needs, so that it looks nothing up.
public enum WorkPayload: Sendable, Codable, Equatable {
    case digest(DigestWork)
    case tokenize(TokenizeWork)
    case calibrate(CalibrateWork)
    case merge(MergeWork)
    case scan(ScanWork)
    case balance(BalanceWork)
    case factor(FactorWork)
    case measure(MeasureWork)
    case collect(CollectWork)
    case encode(EncodeWork)
    case assemble(AssembleWork)
    case evaluate(EvaluateWork)
    case publish(PublishWork)

    public var stage: Stage {
        switch self {
        case .digest: .digest
        case .tokenize: .tokenize
        case .calibrate: .calibrate
        case .merge: .merge
        case .scan: .scan
        case .balance: .balance
        case .factor: .factor
        case .measure: .measure
        case .collect: .collect
        case .encode: .encode
        case .assemble: .assemble
        case .evaluate: .evaluate
        case .publish: .publish
        }
    }
}

/// What came out of an item, as the job store keeps it.
public enum WorkResult: Sendable, Codable, Equatable {
    case digest(DigestResult)
    case tokenize(TokenizeResult)
    case calibrate(CalibrateResult)
    case merge(MergeResult)
    case scan(ScanResult)
    case balance(BalanceResult)
    case factor(FactorResult)
    case measure(MeasureResult)
    case collect(CollectResult)
    case encode(EncodeResult)
    case assemble(AssembleResult)
    case evaluate(EvaluateResult)
    case publish(PublishResult)
}

/// One item of a plan, before a job store gives it a life.
public struct PlannedItem: Sendable, Codable, Equatable {
    public let payload: WorkPayload
    /// Estimated work, in bytes of source read plus bytes written; larger items are claimed first. At least 1.
    public let cost: Int64
    /// Peak bytes a worker needs beyond its own; a worker with less does not get the item.
    public let memory: Int64
    /// Ordinals of items of the same plan that must be done first. All smaller than this item's own ordinal.
    public let dependencies: [Int]
    /// One line for people: `blk.3.ffn_down.weight rows 0–1023`.
    public let label: String

    public init(payload: WorkPayload, cost: Int64, memory: Int64, dependencies: [Int] = [], label: String) {
        self.payload = payload
        self.cost = cost
        self.memory = memory
        self.dependencies = dependencies
        self.label = label
    }
}

public struct DigestWork: Sendable, Codable, Equatable {
    public let file: SourceFile
    public init(file: SourceFile) { self.file = file }
}

public struct DigestResult: Sendable, Codable, Equatable {
    public let sha256: Digest
    public let size: UInt64
    public init(sha256: Digest, size: UInt64) {
        self.sha256 = sha256
        self.size = size
    }
}
