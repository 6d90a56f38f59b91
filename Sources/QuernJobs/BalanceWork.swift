import QuernFormats
import QuernStore

/// Find a number for each channel of an input, by which the columns of the weights that read it are multiplied, and what
/// makes the input is divided: the function of the model stays, and the weights round better.
public struct BalanceWork: Sendable, Codable, Equatable {
    /// How the numbers are found.
    public enum Rule: String, Sendable, Codable, Equatable {
        /// The best of some powers of mean magnitudes, by what it does to outputs.
        case search
        /// √(max|x| / max|w|).
        case magnitudes
    }

    /// Weights that read the input.
    public struct Reader: Sendable, Codable, Equatable {
        /// All their rows; nothing is made of them.
        public let span: Span
        /// What they will be encoded to: blocks, or one of the components that they become.
        public let encoding: PartEncoding
        public init(span: Span, encoding: PartEncoding) {
            self.span = span
            self.encoding = encoding
        }
    }

    /// The factors that a norm multiplies its channels by.
    public struct Norm: Sendable, Codable, Equatable {
        public let span: Span
        /// The type that they will be stored in.
        public let type: ElementType
        /// What the model adds to them as they will be stored.
        public let addend: Float
        public init(span: Span, type: ElementType, addend: Float) {
            self.span = span
            self.type = type
            self.addend = addend
        }
    }

    /// The files that the extents' indices mean.
    public let files: [SourceFile]
    public let input: StatisticsReference
    public let rule: Rule
    public let readers: [Reader]
    /// Nil where rows of a weight make the input.
    public let norm: Norm?
    /// Peak bytes, as the plan estimates them.
    public let memory: Int64

    public init(
        files: [SourceFile], input: StatisticsReference, rule: Rule, readers: [Reader], norm: Norm?, memory: Int64
    ) {
        self.files = files
        self.input = input
        self.rule = rule
        self.readers = readers
        self.norm = norm
        self.memory = memory
    }
}

public struct BalanceResult: Sendable, Codable, Equatable {
    /// A blob of little-endian F32 [channels], all of them positive.
    public let vector: Digest
    public init(vector: Digest) { self.vector = vector }
}

/// How a balance vector s changes a tensor before it is encoded.
public struct Rescaling: Sendable, Codable, Hashable {
    public enum Kind: String, Sendable, Codable, Hashable {
        /// Column j of the rows is multiplied by s_j.
        case inputs
        /// Row `first` + i is divided by s_i.
        case outputs
        /// Element `first` + i is divided by s_i.
        case elements
    }

    /// Ordinal of the balance item.
    public let item: Int
    public let kind: Kind
    /// The rows that it is about, counted through all matrices of the tensor; elements of a tensor of one dimension.
    public let first: Int
    public let count: Int
    /// What the model adds to elements as they will be stored: value a becomes (a + addend) / s − addend.
    public let addend: Float

    public init(item: Int, kind: Kind, first: Int, count: Int, addend: Float = 0) {
        self.item = item
        self.kind = kind
        self.first = first
        self.count = count
        self.addend = addend
    }
}
