import QuernFormats
import QuernStore

/// One file of an artifact, laid out to the byte.
public struct AssembleWork: Sendable, Codable, Equatable {
    /// The target as the user spelled it: `Q4_K_M`.
    public let target: String
    /// Path of the file within the output folder: `tiny-llama-Q4_K_M.gguf`.
    public let file: String
    public let size: UInt64
    /// Blobs that, joined, are the file's first bytes (metadata and tensor directory, padded).
    public let header: [Digest]
    /// What could not be known when the header was laid out.
    public let patches: [HeaderPatch]
    /// In ascending order of offset; the bytes between them are zero.
    public let tensors: [TensorPlacement]
    public init(
        target: String, file: String, size: UInt64, header: [Digest], patches: [HeaderPatch] = [],
        tensors: [TensorPlacement]
    ) {
        self.target = target
        self.file = file
        self.size = size
        self.header = header
        self.patches = patches
        self.tensors = tensors
    }
}

/// The number of chunks that a merge item has gone through, to be put into a header.
public struct HeaderPatch: Sendable, Codable, Equatable {
    /// Where the little-endian 32-bit number stands, from the start of the file.
    public let offset: UInt64
    /// Ordinal of the merge item.
    public let item: Int
    public init(offset: UInt64, item: Int) {
        self.offset = offset
        self.item = item
    }
}

/// Where a tensor's bytes go, and which parts they come from.
public struct TensorPlacement: Sendable, Codable, Equatable {
    public let name: String
    /// In the order of the artifact's format: GGUF `ne`, innermost first; safetensors, outermost first.
    public let shape: [Int]
    public let type: TensorType
    /// Weights of the model that it holds, where that is not the number of its elements: all of a matrix in packed
    /// words, none in their scales.
    public let weights: Int?
    /// From the start of the file.
    public let offset: UInt64
    public let bytes: UInt64
    /// Rows of which each part has a share, where parts lie beside each other; nil where they follow each other.
    public let lines: Int?
    public let parts: [PartReference]
    public init(
        name: String, shape: [Int], type: TensorType, weights: Int? = nil, offset: UInt64, bytes: UInt64,
        lines: Int? = nil, parts: [PartReference]
    ) {
        self.name = name
        self.shape = shape
        self.type = type
        self.weights = weights
        self.offset = offset
        self.bytes = bytes
        self.lines = lines
        self.parts = parts
    }
}

/// Part `index` of the result of encode item `ordinal` of the same job.
public struct PartReference: Sendable, Codable, Equatable, Hashable {
    public let ordinal: Int
    public let index: Int
    public init(ordinal: Int, index: Int) {
        self.ordinal = ordinal
        self.index = index
    }
}

public struct AssembleResult: Sendable, Codable, Equatable {
    public let file: String
    public let size: UInt64
    public let sha256: Digest
    public let tensors: [AssembledTensor]
    public init(file: String, size: UInt64, sha256: Digest, tensors: [AssembledTensor]) {
        self.file = file
        self.size = size
        self.sha256 = sha256
        self.tensors = tensors
    }
}

/// A tensor as it stands in an artifact.
public struct AssembledTensor: Sendable, Codable, Equatable {
    public let name: String
    public let shape: [Int]
    public let type: TensorType
    /// As `TensorPlacement.weights`.
    public let weights: Int?
    public let bytes: UInt64
    public let sha256: Digest
    /// √(Σ(x − x̂)² / Σx²); 0 where nothing was lost.
    public let error: Double
    public init(
        name: String, shape: [Int], type: TensorType, weights: Int? = nil, bytes: UInt64, sha256: Digest, error: Double
    ) {
        self.name = name
        self.shape = shape
        self.type = type
        self.weights = weights
        self.bytes = bytes
        self.sha256 = sha256
        self.error = error
    }
}

/// The last item of a job: writes `manifest.json`. It depends on every digest and assemble item.
public struct PublishWork: Sendable, Codable, Equatable {
    /// The recipe as resolved, as JSON text with sorted keys, without any path of the machine.
    public let recipe: String
    public let encoder: String
    /// Digest of the statistics the encoders used; nil without an importance matrix, and where a merge item knows it.
    public let statistics: Digest?
    /// Ordinal of the merge item; nil without calibration.
    public let merged: Int?
    /// Ordinal of the collect item; nil where nobody asks what tensors cost.
    public let costs: Int?
    /// Ordinals of digest items, in the order of the source's files.
    public let sources: [SourceReference]
    public let artifacts: [ArtifactReference]
    /// nil where nothing is evaluated.
    public let evaluation: EvaluationReference?
    /// nil where no types were chosen by what they cost.
    public let choice: TypeChoice?
    public init(
        recipe: String, encoder: String, statistics: Digest?, merged: Int? = nil, costs: Int? = nil,
        sources: [SourceReference], artifacts: [ArtifactReference], evaluation: EvaluationReference? = nil,
        choice: TypeChoice? = nil
    ) {
        self.recipe = recipe
        self.encoder = encoder
        self.statistics = statistics
        self.merged = merged
        self.costs = costs
        self.sources = sources
        self.artifacts = artifacts
        self.evaluation = evaluation
        self.choice = choice
    }
}

public struct SourceReference: Sendable, Codable, Equatable {
    public let name: String
    public let ordinal: Int
    public init(name: String, ordinal: Int) {
        self.name = name
        self.ordinal = ordinal
    }
}

public struct ArtifactReference: Sendable, Codable, Equatable {
    public let target: String
    /// Ordinals of the assemble items of its files, in order.
    public let files: [Int]
    public init(target: String, files: [Int]) {
        self.target = target
        self.files = files
    }
}

public struct PublishResult: Sendable, Codable, Equatable {
    /// Of `manifest.json`.
    public let sha256: Digest
    public let size: UInt64
    /// What was written beside it: `report.html`, and where the job has measured something `report.json` and
    /// `sensitivity.json`.
    public let reports: [ReportFile]
    /// What was measured of the artifacts; nil where nothing was.
    public let evaluation: EvaluationSummary?

    public struct ReportFile: Sendable, Codable, Equatable {
        public let name: String
        public let sha256: Digest
        public let size: UInt64
        public init(name: String, sha256: Digest, size: UInt64) {
            self.name = name
            self.sha256 = sha256
            self.size = size
        }
    }

    public init(
        sha256: Digest, size: UInt64, reports: [ReportFile] = [], evaluation: EvaluationSummary? = nil
    ) {
        self.sha256 = sha256
        self.size = size
        self.reports = reports
        self.evaluation = evaluation
    }
}
