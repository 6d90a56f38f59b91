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

    public init(
        name: String, architecture: String, metadata: [(key: String, value: GGUFValue)], tensors: [SourceTensor],
        files: [SourceFile], blobs: [Digest: [UInt8]], hints: ForwardHints = ForwardHints()
    ) {
        self.name = name
        self.architecture = architecture
        self.metadata = metadata
        self.tensors = tensors
        self.files = files
        self.blobs = blobs
        self.hints = hints
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
    public let rowOrder: RowOrder
    /// True where every artifact keeps this tensor in F32 (norms, biases, factors, routers).
    public let staysF32: Bool

    public init(
        name: String, shape: [Int], type: ElementType, extents: [Extent], rowOrder: RowOrder = .asStored,
        staysF32: Bool, importanceName: String? = nil
    ) {
        self.name = name
        self.importanceName = importanceName ?? name
        self.shape = shape
        self.type = type
        self.extents = extents
        self.rowOrder = rowOrder
        self.staysF32 = staysF32
    }

    /// Where its values begin: those that the planner computed lie in no file, and come first.
    var place: (file: Int, offset: UInt64) {
        guard let first = extents.first, case .file(let file) = first.origin else { return (0, 0) }
        return (file, first.offset)
    }

    public var columns: Int { shape[0] }
    /// Rows through all matrices.
    public var rows: Int { shape.dropFirst().reduce(1, *) }
    public var elements: Int { shape.reduce(1, *) }
}
