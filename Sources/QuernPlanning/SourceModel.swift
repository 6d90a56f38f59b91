import QuernFormats
import QuernJobs
import QuernStore

/// A checkpoint as a GGUF sees it, whatever it was read from: names, shapes and metadata of the artifact, and for
/// every tensor where its bytes lie. Made from headers alone.
public struct SourceModel: Sendable {
    /// The source's name without its folder: the default base name of artifacts.
    public let name: String
    /// `general.architecture`.
    public let architecture: String
    /// Key-values in the order in which they are written.
    public let metadata: [(key: String, value: GGUFValue)]
    /// In the order of the source; writers reorder.
    public let tensors: [SourceTensor]
    public let files: [SourceFile]
    /// Values that were computed while planning, by digest: to be put into the blob store before work begins.
    public let blobs: [Digest: [UInt8]]
    /// What the forward pass has to know beyond the metadata; empty where the source is a GGUF.
    public let hints: ForwardHints
    /// How weights of plain values in `tensors` are stored, where rounding them again needs the user's consent: what
    /// config.json calls it.
    public let quantizedAs: String?

    public init(
        name: String, architecture: String, metadata: [(key: String, value: GGUFValue)], tensors: [SourceTensor],
        files: [SourceFile], blobs: [Digest: [UInt8]], hints: ForwardHints = ForwardHints(),
        quantizedAs: String? = nil
    ) {
        self.name = name
        self.architecture = architecture
        self.metadata = metadata
        self.tensors = tensors
        self.files = files
        self.blobs = blobs
        self.hints = hints
        self.quantizedAs = quantizedAs
    }
}

public struct SourceTensor: Sendable, Equatable {
    /// The GGUF name: `blk.0.attn_q.weight`.
    public let name: String
    /// The name under which an importance matrix knows it: its name before blocks were left out.
    public let importanceName: String
    /// GGUF order, innermost first; rank 1 to 4.
    public let shape: [Int]
    /// As stored in the source.
    public let type: ElementType
    /// Where the values lie, in order; file indices mean `SourceModel.files`.
    public let extents: [Extent]
    /// Empty, or where the scales of MXFP4 blocks lie; `extents` then hold their codes alone. See `SpanReader`.
    public let scales: [Extent]
    /// What is added to every value, in single precision; nil where values are taken as they are.
    public let addend: Float?
    /// The type that the tensor has in every artifact: F32 for norms, biases, factors and routers, MXFP4 where the
    /// model was made that way, unless encoding it again is allowed; nil where targets choose.
    public let fixedType: ElementType?

    public init(
        name: String, shape: [Int], type: ElementType, extents: [Extent], scales: [Extent] = [], addend: Float? = nil,
        fixedType: ElementType? = nil, importanceName: String? = nil
    ) {
        self.name = name
        self.importanceName = importanceName ?? name
        self.shape = shape
        self.type = type
        self.extents = extents
        self.scales = scales
        self.addend = addend
        self.fixedType = fixedType
    }

    /// Where its values begin: those that the planner computed lie in no file, and come first.
    var place: (file: Int, offset: UInt64) {
        guard let first = extents.first, case .file(let file) = first.origin else { return (0, 0) }
        return (file, first.offset)
    }

    /// Whether its values are computed of quantized weights.
    var isDequantized: Bool { extents.contains { if case .weights = $0.origin { true } else { false } } }

    public var columns: Int { shape[0] }
    /// Rows through all matrices.
    public var rows: Int { shape.dropFirst().reduce(1, *) }
    /// Rows of one matrix.
    var rowsPerMatrix: Int { shape.count > 1 ? shape[1] : 1 }
    public var elements: Int { shape.reduce(1, *) }
}
