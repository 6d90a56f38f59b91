import QuernFormats

/// The sum of statistics files, in the order in which they are given, of a few inputs at a time: files are gone through
/// side by side, so that none of them is ever held whole.
public struct StatisticsSum: Sendable {
    private var sources: [any ByteSource] = []
    /// Of the first file; what all have in common.
    private var first: StatisticsReader?
    private var arithmetic: Set<String> = []
    /// Chunks of text of all files.
    public private(set) var chunks = 0

    public init() {}

    /// Adds a file: the text that follows. Only its beginning is read now.
    /// - Throws: `QuernError` `.invalidInput` where it is about another model or text, or no statistics.
    public mutating func append(_ source: any ByteSource) throws {
        let reader = try StatisticsReader(source)
        // Sums of no inputs are compared, too.
        var origins = try (first ?? reader).statistics(of: 0..<0)
        try origins.add(reader.statistics(of: 0..<0))
        guard first == nil || first?.shapes == reader.shapes else { throw ModelStatistics.otherInputs }
        if first == nil { first = reader }
        sources.append(source)
        arithmetic.formUnion(reader.arithmetic)
        chunks += reader.chunks
    }

    /// Neighbouring inputs, in the order of the file, that take at most `bytes` in it together, or are one.
    public func windows(bytes: Int) -> [Range<Int>] {
        var windows: [Range<Int>] = []
        var held = 0
        for (index, shape) in (first?.shapes ?? []).enumerated() {
            if let last = windows.last, held + shape.bytes <= bytes {
                windows[windows.count - 1] = last.lowerBound..<index + 1
                held += shape.bytes
            } else {
                windows.append(index..<index + 1)
                held = shape.bytes
            }
        }
        return windows
    }

    /// The beginning of the file of the sum, which the bytes of all inputs follow.
    /// - Throws: `QuernError` `.invalidInput` where nothing was added.
    public func header() throws -> [UInt8] {
        guard let first else { throw Self.empty }
        return try StatisticsFile.header(
            origin: first.origin, arithmetic: arithmetic.sorted(), chunks: chunks, shapes: first.shapes)
    }

    /// The sums of some inputs over all files.
    /// - Parameter inputs: a range of the inputs in the order of the file.
    public func statistics(of inputs: Range<Int>) throws -> ModelStatistics {
        var sum: ModelStatistics?
        for source in sources {
            let part = try StatisticsReader(source).statistics(of: inputs)
            if sum == nil { sum = part } else { try sum?.add(part) }
        }
        guard let sum else { throw Self.empty }
        try sum.checkFinite()
        return sum
    }

    /// What is wrong with the text that the files are of, if anything: the warnings of a report on their sum.
    /// - Parameter experts: those of the sums of all inputs, in any order.
    public func warnings(of text: ImatrixFile.Text, experts: [ImatrixReport.Coverage]) -> [String] {
        ImatrixReport.warnings(
            tokens: chunks * (first?.origin.chunkTokens ?? 0), of: text, experts.sorted { $0.name < $1.name })
    }

    private static let empty = QuernError(.invalidInput, "there are no statistics to add", at: "statistics")
}
