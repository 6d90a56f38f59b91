import QuernFormats
import QuernStore

/// Find out what it costs to have each tensor of a layer in one type or scheme or another.
public struct MeasureWork: Sendable, Codable, Equatable {
    public let model: ModelReference
    /// The files that the extents of spans mean.
    public let files: [SourceFile]
    /// Ordinal of the tokenize item.
    public let tokens: Int
    public let chunkTokens: Int
    /// The chunks to look at are the text's first ones.
    public let firstChunk: Int
    public let maximumChunks: Int
    /// Nil for embeddings and head.
    public let layer: Int?
    /// Whether the effect on predictions is measured. Otherwise only what types do to the outputs of the layer is found
    /// out, and neighbours tell what that is worth.
    public let isProbed: Bool
    /// All of them in that layer.
    public let tensors: [Tensor]
    /// What computes the model; nil for the processor.
    public let forward: ForwardDevice?
    /// Peak bytes, as the plan estimates them.
    public let memory: Int64

    public struct Tensor: Sendable, Codable, Equatable {
        /// All rows; an output for each type.
        public let span: Span
        /// The output whose effect on predictions is measured; the others are inferred from what they do to the outputs of
        /// the layer.
        public let probe: Int
        /// What its matrices read, for those whose Gram matrix is known; empty where it is not.
        public let inputs: [Input]
        /// Schemes that are looked at, too; none where nothing is known of what the matrices read.
        public let schemes: [Scheme]
        public init(span: Span, probe: Int, inputs: [Input], schemes: [Scheme] = []) {
            self.span = span
            self.probe = probe
            self.inputs = inputs
            self.schemes = schemes
        }
    }

    /// A scheme of safetensors, of which each matrix of a tensor is a layer.
    public struct Scheme: Sendable, Codable, Equatable {
        /// With the method, as targets are called: `W4A16_G32_GPTQ`.
        public let name: String
        public let storage: WeightStorage
        /// Of the checkpoint.
        public let source: SafetensorsType
        /// `nearest`, `imatrix` or `gptq`.
        public let method: Recipe.Method
        public init(name: String, storage: WeightStorage, source: SafetensorsType, method: Recipe.Method) {
            self.name = name
            self.storage = storage
            self.source = source
            self.method = method
        }
    }

    /// Rows that are looked at, of one matrix, and what they read.
    public struct Input: Sendable, Codable, Equatable {
        public let reference: StatisticsReference
        /// The first row of the matrix in the tensor.
        public let firstRow: Int
        public let rows: Int
        /// Ordinal of the item that factors its Gram matrix for columns that are rounded one by one; nil where no scheme is
        /// looked at.
        public let factor: Int?
        public init(reference: StatisticsReference, firstRow: Int, rows: Int, factor: Int? = nil) {
            self.reference = reference
            self.firstRow = firstRow
            self.rows = rows
            self.factor = factor
        }
    }

    public init(
        model: ModelReference, files: [SourceFile], tokens: Int, chunkTokens: Int, firstChunk: Int = 0,
        maximumChunks: Int, layer: Int?, isProbed: Bool = true, tensors: [Tensor], forward: ForwardDevice? = nil,
        memory: Int64
    ) {
        self.forward = forward
        self.model = model
        self.files = files
        self.tokens = tokens
        self.chunkTokens = chunkTokens
        self.firstChunk = firstChunk
        self.maximumChunks = maximumChunks
        self.layer = layer
        self.isProbed = isProbed
        self.tensors = tensors
        self.memory = memory
    }
}

public struct MeasureResult: Sendable, Codable, Equatable {
    /// In the order of the work. Where predictions were not looked at, a divergence of 1 stands for that of the probe.
    public let tensors: [TensorCosts]
    /// For each of them, what the probe does to the outputs of the layer: tr(ΔHΔᵀ) of some rows, as many in all tensors
    /// of a kind.
    public let losses: [Double]
    public init(tensors: [TensorCosts], losses: [Double]) {
        self.tensors = tensors
        self.losses = losses
    }
}

/// What a tensor costs in the types and schemes that were looked at.
public struct TensorCosts: Sendable, Codable, Equatable {
    public let tensor: String
    /// The type whose divergence was measured.
    public let probe: ElementType
    /// Mean Kullback–Leibler divergence, in nats, of the model with this one tensor in that type.
    public let divergence: Double
    /// True where that was inferred from layers before and after it; nil where it was measured.
    public let isInferred: Bool?
    /// In ascending order of bytes.
    public let types: [TypeCost]
    /// Of all its matrices; nil where none was looked at.
    public let schemes: [SchemeCost]?

    public init(
        tensor: String, probe: ElementType, divergence: Double, isInferred: Bool? = nil, types: [TypeCost],
        schemes: [SchemeCost]? = nil
    ) {
        self.tensor = tensor
        self.probe = probe
        self.divergence = divergence
        self.isInferred = isInferred
        self.types = types
        self.schemes = schemes
    }

    /// The same where divergences are inferred to be `factor` times as large.
    public func inferred(by factor: Double) -> TensorCosts {
        TensorCosts(
            tensor: tensor, probe: probe, divergence: divergence * factor, isInferred: true,
            types: types.map { TypeCost(type: $0.type, bytes: $0.bytes, divergence: $0.divergence * factor) },
            schemes: schemes?.map { SchemeCost(scheme: $0.scheme, divergence: $0.divergence * factor) })
    }

    public struct TypeCost: Sendable, Codable, Equatable {
        public let type: ElementType
        /// Of the whole tensor.
        public let bytes: UInt64
        /// The divergence to be expected, in nats: that of the probe times the ratio of what both do to the outputs of the
        /// layer.
        public let divergence: Double
        public init(type: ElementType, bytes: UInt64, divergence: Double) {
            self.type = type
            self.bytes = bytes
            self.divergence = divergence
        }
    }

    public struct SchemeCost: Sendable, Codable, Equatable {
        /// With the method, as targets are called: `W4A16_G32_GPTQ`.
        public let scheme: String
        /// As that of a type.
        public let divergence: Double
        public init(scheme: String, divergence: Double) {
            self.scheme = scheme
            self.divergence = divergence
        }
    }
}
