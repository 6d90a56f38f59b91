import QuernFormats
import QuernStore

/// Spans to read, and the element types to encode each to. Small tensors share an item, large ones are cut.
public struct EncodeWork: Sendable, Codable, Equatable {
    /// The files that the extents' indices mean.
    public let files: [SourceFile]
    /// The artifact files that the places of parts mean.
    public let artifacts: [PlannedArtifact.File]
    public let spans: [Span]
    /// Version of the encoders the plan was made for; it is part of every cache key.
    public let encoder: String
    public init(files: [SourceFile], artifacts: [PlannedArtifact.File] = [], spans: [Span], encoder: String) {
        self.files = files
        self.artifacts = artifacts
        self.spans = spans
        self.encoder = encoder
    }
}

/// A range of whole rows of one tensor.
public struct Span: Sendable, Codable, Equatable {
    /// The tensor's name in the artifact, for messages.
    public let tensor: String
    /// Where the rows lie in the source, in order; together they hold exactly `rows` rows. Their files mean
    /// `EncodeWork.files`.
    public let extents: [Extent]
    /// Empty, or where the scales of MXFP4 blocks lie; `extents` then hold their codes alone. See `SpanReader`.
    public let scales: [Extent]
    public let sourceType: ElementType
    /// Elements in a row (`ne[0]`).
    public let columns: Int
    public let rows: Int
    /// Index of the span's first row in the tensor, counted through all its matrices.
    public let firstRow: Int
    /// What is added to every value, in single precision; nil where values are taken as they are.
    public let addend: Float?
    /// Distinct; one part is made of each, in this order.
    public var outputs: [EncodeOutput]

    public init(
        tensor: String, extents: [Extent], scales: [Extent] = [], sourceType: ElementType, columns: Int, rows: Int,
        firstRow: Int, addend: Float? = nil, outputs: [EncodeOutput]
    ) {
        self.tensor = tensor
        self.extents = extents
        self.scales = scales
        self.sourceType = sourceType
        self.columns = columns
        self.rows = rows
        self.firstRow = firstRow
        self.addend = addend
        self.outputs = outputs
    }
}

/// What the bytes of a part are.
public enum PartEncoding: Sendable, Hashable {
    /// Blocks of a type.
    case blocks(ElementType)
    /// A share of one of the tensors that the weights of a linear layer become.
    case component(WeightComponent, QuantizedWeight)

    /// The type of blocks; nil for a component.
    public var type: ElementType? { if case .blocks(let type) = self { type } else { nil } }

    /// The bytes of a part.
    /// - Returns: nil where `columns` are no whole number of blocks, or the product overflows.
    public func bytes(rows: Int, columns: Int) -> Int? {
        switch self {
        case .blocks(let type):
            let (elements, overflow) = rows.multipliedReportingOverflow(by: columns)
            return overflow ? nil : type.bytes(elements: elements)
        case .component(let component, let weight):
            return weight.bytes(of: component, rows: rows, columns: columns)
        }
    }

    /// Rows of the tensor of which each part has a share, where parts lie beside each other; nil where they follow each
    /// other.
    public func lines(columns: Int) -> Int? {
        guard case .component(let component, let weight) = self, component.isTransposed,
            weight.bytes(of: component, rows: weight.rows, columns: columns) != nil
        else { return nil }
        return weight.storage.shape(of: component, rows: weight.rows, columns: columns).first
    }
}

/// The weights of a linear layer and how they are stored.
public struct QuantizedWeight: Sendable, Hashable, Codable {
    public let storage: WeightStorage
    /// Of the source; scales may be of the same type.
    public let source: SafetensorsType
    /// Of the whole matrix.
    public let rows: Int
    /// How its numbers are found.
    public let rounding: Rounding

    public init(storage: WeightStorage, source: SafetensorsType, rows: Int, rounding: Rounding = Rounding()) {
        self.storage = storage
        self.source = source
        self.rows = rows
        self.rounding = rounding
    }

    /// How weights become numbers, and what other items of the job find out for it.
    public struct Rounding: Sendable, Hashable, Codable {
        /// Whether scales are searched; otherwise all is rounded to nearest.
        public var searches: Bool
        /// Ordinal of the factor item whose result feeds errors into later columns; nil for none.
        public var factor: Int?
        /// Ordinal of the scan item that looks at the magnitudes of all weights; nil where no scale hangs on them.
        public var magnitudes: Int?

        public init(searches: Bool = false, factor: Int? = nil, magnitudes: Int? = nil) {
            self.searches = searches
            self.factor = factor
            self.magnitudes = magnitudes
        }

        /// Items that must be done first.
        public var items: [Int] { [factor, magnitudes].compactMap(\.self) }
    }

    /// The type in which its scales are computed, and stored where its numbers do not fix it.
    public var scaleType: SafetensorsType { storage.scaleType(source: source) }

    /// Bytes of a component, or of the share of some rows in it.
    public func bytes(of component: WeightComponent, rows: Int, columns: Int) -> Int? {
        storage.bytes(of: component, rows: rows, columns: columns, source: source)
    }
}

/// One form to encode a span to.
public struct EncodeOutput: Sendable, Codable, Equatable {
    public let encoding: PartEncoding
    /// Of the values as they are in the source.
    public var importance: Importance?
    /// How blocks make good the errors of others; nil for the type's usual encoder.
    public var refinement: Refinement?
    /// What is done to the values before they are encoded.
    public var rescalings: [Rescaling]
    /// Where the part belongs in the artifacts: one place for every target that wants it.
    public var places: [PartPlace]
    public init(
        encoding: PartEncoding, importance: Importance? = nil, refinement: Refinement? = nil,
        rescalings: [Rescaling] = [], places: [PartPlace] = []
    ) {
        self.encoding = encoding
        self.importance = importance
        self.refinement = refinement
        self.rescalings = rescalings
        self.places = places
    }

    public init(
        type: ElementType, importance: Importance? = nil, rescalings: [Rescaling] = [], places: [PartPlace] = []
    ) {
        self.init(encoding: .blocks(type), importance: importance, rescalings: rescalings, places: places)
    }
}

/// Where a part lies in an artifact.
public struct PartPlace: Sendable, Codable, Equatable {
    /// Index into `EncodeWork.artifacts`.
    public let file: Int
    /// From the start of the file.
    public let offset: UInt64
    /// Nil for bytes that follow each other.
    public let lines: Lines?

    /// Equal shares of a part that do not follow each other: columns of a matrix that is stored row by row.
    public struct Lines: Sendable, Codable, Equatable {
        /// Bytes of each, at least 1; a divisor of the part's.
        public let length: UInt64
        /// Bytes from the beginning of one to that of the next.
        public let stride: UInt64
        public init(length: UInt64, stride: UInt64) {
            self.length = length
            self.stride = stride
        }
    }

    public init(file: Int, offset: UInt64, lines: Lines? = nil) {
        self.file = file
        self.offset = offset
        self.lines = lines
    }
}

/// The weights of an importance matrix for one tensor.
public struct Importance: Sendable, Codable, Equatable, Hashable {
    /// Where the mean squares of the input channels are: little-endian F32 [matrices, columns].
    public enum Vectors: Sendable, Codable, Equatable, Hashable {
        case blob(Digest)
        /// What a merge item of the same job says of a tensor: its ordinal, and the tensor's name in statistics.
        case merged(item: Int, tensor: String)
    }
    public let vectors: Vectors
    /// Rows of the tensor in each matrix: row r of the tensor uses vector firstMatrix + r / rowsPerMatrix.
    public let rowsPerMatrix: Int
    /// The matrix that the tensor begins with.
    public let firstMatrix: Int
    public init(vectors: Vectors, rowsPerMatrix: Int, firstMatrix: Int = 0) {
        self.vectors = vectors
        self.rowsPerMatrix = rowsPerMatrix
        self.firstMatrix = firstMatrix
    }

    public init(digest: Digest, rowsPerMatrix: Int, firstMatrix: Int = 0) {
        self.init(vectors: .blob(digest), rowsPerMatrix: rowsPerMatrix, firstMatrix: firstMatrix)
    }

    /// With the vectors in a blob.
    public func resolved(_ digest: Digest) -> Importance {
        Importance(digest: digest, rowsPerMatrix: rowsPerMatrix, firstMatrix: firstMatrix)
    }

    /// The matrix that a row of the tensor has.
    public func matrix(of row: Int) -> Int { firstMatrix + row / rowsPerMatrix }

    /// The blob that holds the vectors; nil where a merge item makes it.
    public var digest: Digest? { if case .blob(let digest) = vectors { digest } else { nil } }
}

/// The encoded spans of an item: for each span in order, for each of its outputs in order.
public struct EncodeResult: Sendable, Codable, Equatable {
    public let parts: [Part]
    public init(parts: [Part]) { self.parts = parts }
}

/// An encoded span: a blob, or bytes at their place in a file, and what the encoding cost in precision.
public struct Part: Sendable, Codable, Equatable {
    /// Names the blob. Bytes in their place have a name that says whether they are still the same.
    public let digest: Digest
    public let bytes: UInt64
    /// Σ(x − x̂)² over the span, summed in double precision in an order that no machine changes.
    public let squaredError: Double
    /// Σx² over the span, likewise.
    public let squaredNorm: Double
    public init(digest: Digest, bytes: UInt64, squaredError: Double, squaredNorm: Double) {
        self.digest = digest
        self.bytes = bytes
        self.squaredError = squaredError
        self.squaredNorm = squaredNorm
    }
}
