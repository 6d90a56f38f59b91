import QuernFormats

/// What a user asks for: a source, targets, and how to treat single tensors. The YAML of a recipe file, and the
/// body of a submission, are this value.
public struct Recipe: Sendable, Equatable {
    /// A checkpoint folder or a `.gguf` file; made absolute before it is planned.
    public var source: String
    /// Base name of the artifacts; the source's name where nil.
    public var name: String?
    public var targets: [Target]
    /// An importance matrix file, GGUF or legacy.
    public var imatrix: String?
    /// The text that an importance matrix is computed from; in place of `imatrix`.
    public var calibration: Calibration?
    /// How GGUF types are written; nil: refined where a text is calibrated on, reference otherwise.
    public var encoder: BlockEncoder?
    /// How it is measured what tensors cost in each type; nil where nobody asks. Takes a calibration.
    public var measurement: Measurement?
    /// A file that says what tensors cost in each type, for targets of a given size.
    public var sensitivity: String?
    /// The text that artifacts are judged by.
    public var evaluation: Evaluation?
    /// What computes the model; nil for the processor.
    public var forward: ForwardDevice?
    public var split: SplitLimits?
    /// Encode a source that is quantized already.
    public var allowRequantize: Bool
    /// Use the importance matrix only for tensors whose name contains one of these; empty: for all.
    public var includeWeights: [String]
    /// Do not use the importance matrix for tensors whose name contains one of these.
    public var excludeWeights: [String]
    /// Blocks to leave out, by their number in the source; those that stay are counted anew.
    public var pruneLayers: [Int]
    public var overrides: [MetadataOverride]

    public init(
        source: String, name: String? = nil, targets: [Target], imatrix: String? = nil,
        calibration: Calibration? = nil, encoder: BlockEncoder? = nil,
        measurement: Measurement? = nil, sensitivity: String? = nil, evaluation: Evaluation? = nil,
        forward: ForwardDevice? = nil, split: SplitLimits? = nil,
        allowRequantize: Bool = false,
        includeWeights: [String] = [], excludeWeights: [String] = [], pruneLayers: [Int] = [],
        overrides: [MetadataOverride] = []
    ) {
        self.source = source
        self.name = name
        self.targets = targets
        self.imatrix = imatrix
        self.calibration = calibration
        self.encoder = encoder
        self.measurement = measurement
        self.sensitivity = sensitivity
        self.evaluation = evaluation
        self.forward = forward
        self.split = split
        self.allowRequantize = allowRequantize
        self.includeWeights = includeWeights
        self.excludeWeights = excludeWeights
        self.pruneLayers = pruneLayers
        self.overrides = overrides
    }

    /// How the blocks of GGUF types are found.
    public enum BlockEncoder: String, Sendable, Equatable, Codable, CaseIterable {
        /// The bytes of llama.cpp's quantizer.
        case reference
        /// Errors of columns are made good by other columns, as Gram matrices say.
        case refined

        /// Without regard to case.
        /// - Throws: `QuernError` `.usage` for an unknown name.
        public init(named name: String) throws {
            guard let encoder = Self(rawValue: name.lowercased()) else {
                throw QuernError(.usage, "unknown encoder '\(name)'", remedy: "There are reference and refined")
            }
            self = encoder
        }

        /// The version that manifests name.
        public var version: String { self == .refined ? EncoderVersion.refined : EncoderVersion.reference }
    }

    /// One artifact to make.
    public enum Target: Sendable, Equatable {
        case gguf(GGUFTarget)
        case compressedTensors(CompressedTensorsTarget)

        public init(
            gguf: String, pure: Bool = false, tensors: [TensorRule] = [], outputTensorType: ElementType? = nil,
            tokenEmbeddingType: ElementType? = nil, leaveOutputTensor: Bool = false, method: Method = .nearest
        ) {
            self = .gguf(
                GGUFTarget(
                    preset: gguf, pure: pure, tensors: tensors, outputTensorType: outputTensorType,
                    tokenEmbeddingType: tokenEmbeddingType, leaveOutputTensor: leaveOutputTensor,
                    method: method))
        }

        /// - Parameter scheme: a scheme, or one with a size behind it: `W4A16:bpw:5`.
        public init(
            compressedTensors scheme: String, groupSize: Int? = nil, method: Method = .nearest, ignore: [String] = [],
            layers: [LayerRule] = []
        ) {
            let colon = scheme.firstIndex(of: ":")
            self = .compressedTensors(
                CompressedTensorsTarget(
                    scheme: String(scheme[..<(colon ?? scheme.endIndex)]),
                    goal: colon.map { String(scheme[scheme.index(after: $0)...]) }, groupSize: groupSize,
                    method: method,
                    ignore: ignore, layers: layers))
        }

        /// What the recipe calls it, and its artifact is called after: a preset, or a scheme with the size of its groups.
        public var name: String {
            switch self {
            case .gguf(let target): target.preset
            case .compressedTensors(let target): target.name
            }
        }

        public var method: Method {
            switch self {
            case .gguf(let target): target.method
            case .compressedTensors(let target): target.method
            }
        }
    }

    /// A GGUF in a preset.
    public struct GGUFTarget: Sendable, Equatable {
        /// A preset name as llama.cpp spells it: `Q4_K_M`.
        public var preset: String
        /// Give every tensor the preset's base type.
        public var pure: Bool
        /// Regular expressions on tensor names, in order, first match wins, with the type to use.
        public var tensors: [TensorRule]
        public var outputTensorType: ElementType?
        public var tokenEmbeddingType: ElementType?
        /// Keep `output.weight` as the source has it.
        public var leaveOutputTensor: Bool
        /// `nearest` for what presets do by themselves, with or without an importance matrix; or `awq`.
        public var method: Method
    }

    /// A folder of safetensors in a scheme of compressed-tensors.
    public struct CompressedTensorsTarget: Sendable, Equatable {
        /// As llm-compressor spells it: `W4A16`.
        public var scheme: String
        /// The size, `size:5GB` or `bpw:5`, for which layers get more precise schemes by what they cost; nil: none do.
        public var goal: String?
        /// Inputs that share a scale; 0 for all of a row, nil for what the scheme says.
        public var groupSize: Int?
        public var method: Method
        /// Layers to leave as they are, beside those that usually are: names, or `re:` and a regular expression.
        public var ignore: [String]
        /// Layers with schemes of their own, in order, first match wins.
        public var layers: [LayerRule]

        /// The scheme, and the size of groups where it is not the usual one.
        public var name: String {
            let scheme = scheme.uppercased()
            return groupSize.map { "\(scheme)_\($0 == 0 ? "CHANNEL" : "G\($0)")" } ?? scheme
        }

        /// The scheme with the size behind it, as recipes have them in one.
        var sizedScheme: String { goal.map { "\(scheme):\($0)" } ?? scheme }
    }

    /// How the numbers of a scheme are chosen.
    public enum Method: String, Sendable, Equatable, Codable, CaseIterable {
        /// Weights are rounded to the nearest number.
        case nearest
        /// Scales are searched for the least error, weighted by an importance matrix.
        case imatrix
        /// Scales are searched, and errors fed into weights that are rounded later.
        case gptq
        /// Channels are rescaled by a search so that outputs change least, then as imatrix.
        case awq
        /// Channels behind norms are rescaled by the largest magnitudes of inputs and weights, then as imatrix.
        case smoothquant
        case awqGPTQ = "awq+gptq"
        case smoothquantGPTQ = "smoothquant+gptq"

        /// Whether errors are fed into weights that are rounded later.
        public var feedsBack: Bool { [.gptq, .awqGPTQ, .smoothquantGPTQ].contains(self) }
        /// How channels are rescaled; nil where they stay as they are.
        public var balance: BalanceWork.Rule? {
            switch self {
            case .nearest, .imatrix, .gptq: nil
            case .awq, .awqGPTQ: .search
            case .smoothquant, .smoothquantGPTQ: .magnitudes
            }
        }
        /// Whether it needs Gram matrices.
        public var needsGram: Bool { feedsBack || balance == .search }
    }

    /// Text to go through the model, and how.
    public struct Calibration: Sendable, Equatable {
        /// A text file in UTF-8; made absolute before it is planned.
        public var text: String
        /// Tokens in a chunk.
        public var chunkTokens: Int
        /// Chunks to go through at most; nil: all that the text has.
        public var chunks: Int?
        /// Whether statistics are taken for `output.weight` too.
        public var processOutput: Bool
        /// Whether Gram matrices are kept too, and how large; nil: none.
        public var gram: GramLimits?

        public static let usualChunkTokens = 512

        /// How the importance matrix file of artifacts called `name` is called.
        public static func fileName(of name: String) -> String { "\(name).imatrix.gguf" }

        public init(
            text: String, chunkTokens: Int = usualChunkTokens, chunks: Int? = nil, processOutput: Bool = false,
            gram: GramLimits? = nil
        ) {
            self.text = text
            self.chunkTokens = chunkTokens
            self.chunks = chunks
            self.processOutput = processOutput
            self.gram = gram
        }
    }

    /// How large the matrices XᵀX of the inputs of linear layers may become.
    public struct GramLimits: Sendable, Equatable {
        /// Columns of a block: wider inputs are kept in several blocks along the diagonal.
        public var maxBlock: Int
        /// Bytes of all of them in the statistics file; to keep to it, blocks become narrower.
        public var budget: UInt64

        public static let usualMaxBlock = 8192
        public static let usualBudget: UInt64 = 2_000_000_000

        public init(maxBlock: Int = usualMaxBlock, budget: UInt64 = usualBudget) {
            self.maxBlock = maxBlock
            self.budget = budget
        }
    }

    /// How much is measured to find out what tensors cost.
    public struct Measurement: Sendable, Equatable {
        /// Of the text that is calibrated on, from the first on.
        public var chunks: Int
        /// Most layers of a kind whose effect on predictions is measured; what others cost is inferred from their neighbours.
        public var layers: Int

        public static let usualChunks = 8
        public static let usualLayers = 16

        public init(chunks: Int = usualChunks, layers: Int = usualLayers) {
            self.chunks = chunks
            self.layers = layers
        }
    }

    /// Text to compare artifacts with the source by, and how much of it.
    public struct Evaluation: Sendable, Equatable {
        /// A text file in UTF-8; made absolute before it is planned.
        public var text: String
        /// Tokens in a chunk; those of its second half are scored.
        public var chunkTokens: Int
        /// Chunks to take at most; nil: all that the text has.
        public var chunks: Int?

        public init(text: String, chunkTokens: Int = Calibration.usualChunkTokens, chunks: Int? = nil) {
            self.text = text
            self.chunkTokens = chunkTokens
            self.chunks = chunks
        }
    }

    public struct TensorRule: Sendable, Equatable {
        public var pattern: String
        public var type: ElementType
        public init(pattern: String, type: ElementType) {
            self.pattern = pattern
            self.type = type
        }
    }

    /// A scheme for layers of some names.
    public struct LayerRule: Sendable, Equatable {
        /// A name, or `re:` and a regular expression that names begin with.
        public var pattern: String
        /// As targets are called, such as `W8A16_CHANNEL`, or `none` for layers to leave as they are.
        public var scheme: String

        public static let none = "none"
        /// Whether layers stay as they are.
        public var isNone: Bool { [Self.none, "keep"].contains(scheme.lowercased()) }

        public init(pattern: String, scheme: String) {
            self.pattern = pattern
            self.scheme = scheme
        }
    }

    /// Where to start another file.
    public struct SplitLimits: Sendable, Equatable {
        /// Most padded tensor bytes in one file.
        public var maxBytes: UInt64?
        public var maxTensors: Int?
        /// Divide the artifact as the source is divided, in the source's order; then the limits have no say.
        public var keep: Bool
        public init(maxBytes: UInt64? = nil, maxTensors: Int? = nil, keep: Bool = false) {
            self.maxBytes = maxBytes
            self.maxTensors = maxTensors
            self.keep = keep
        }
    }
}
