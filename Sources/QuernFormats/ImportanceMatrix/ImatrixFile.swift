/// An imatrix file as it stands: sums of squares of the inputs of linear layers, and how many rows they are over.
public struct ImatrixFile: Sendable, Equatable {
    public struct Entry: Sendable, Equatable {
        /// Σx² for every channel, matrix after matrix; finite, not negative.
        public var sums: [Float]
        /// For each matrix the rows that were summed; finite, not negative. At least one.
        public var counts: [Float]

        public init(sums: [Float], counts: [Float]) {
            self.sums = sums
            self.counts = counts
        }

        public var columns: Int { sums.count / counts.count }
    }

    /// By the name of the tensor: `blk.0.attn_q.weight`.
    public var entries: [String: Entry]
    /// The texts it was made from, as far as the file says.
    public var datasets: [String]
    /// Chunks of text it was made from; 0 where a legacy file does not say.
    public var chunkCount: Int
    public var chunkTokens: Int
    /// How varied the text was; nil where the file does not say.
    public var text: Text?

    public struct Text: Sendable, Equatable {
        /// Different tokens in it.
        public let distinctTokens: Int
        /// Tokens that the model knows.
        public let vocabulary: Int

        public init(distinctTokens: Int, vocabulary: Int) {
            self.distinctTokens = distinctTokens
            self.vocabulary = vocabulary
        }
    }

    /// What llama-imatrix takes where nothing is said.
    public static let usualChunkTokens = 512

    public init(
        entries: [String: Entry], datasets: [String], chunkCount: Int, chunkTokens: Int = usualChunkTokens,
        text: Text? = nil
    ) {
        self.entries = entries
        self.datasets = datasets
        self.chunkCount = chunkCount
        self.chunkTokens = chunkTokens
        self.text = text
    }

    /// Reads a file of either form: GGUF, or the older `.dat`, told apart by their first bytes. Sums of the older form
    /// are made from means, as if every call had been a chunk of 512 rows.
    /// - Throws: `QuernError` naming the file, and the entry where it is about one.
    public static func read(path: String) throws -> ImatrixFile { try read(from: FileByteSource(path: path)) }

    public static func read(from source: any ByteSource) throws -> ImatrixFile {
        do {
            let isGGUF = try source.size >= 4 && source.bytes(at: 0, count: 4) == Array("GGUF".utf8)
            let file = try isGGUF ? ImatrixFile(gguf: source) : ImatrixFile(legacy: source)
            guard !file.entries.isEmpty else {
                throw QuernError(.invalidInput, "an importance matrix without entries")
            }
            return file
        } catch let error as QuernError where !error.location.hasPrefix(source.name) {
            throw error.located(in: source.name)
        }
    }

    /// - Throws: where a value can be no sum of squares.
    static func check(_ values: [Float]) throws(QuernError) {
        guard let index = values.firstIndex(where: { !($0 >= 0 && $0.isFinite) }) else { return }
        throw QuernError(
            .invalidInput, "value \(index) is \(values[index]), it must be finite and not negative",
            remedy: "Compute the importance matrix again")
    }

    /// The means that encoders weigh by. A matrix that no row reached (an expert that was never picked) weighs all
    /// errors alike.
    /// - Throws: where a mean leaves the range of single precision.
    public func importanceMatrix() throws(QuernError) -> ImportanceMatrix {
        var means: [String: ImportanceMatrix.Entry] = [:]
        for (name, entry) in entries {
            do throws(QuernError) {
                means[name] = try entry.means()
            } catch {
                throw error.located(in: "entry \(name.quotedForMessage)")
            }
        }
        return ImportanceMatrix(entries: means, datasets: datasets, chunkCount: chunkCount)
    }
}

extension ImatrixFile.Entry {
    fileprivate func means() throws(QuernError) -> ImportanceMatrix.Entry {
        var values = sums
        let columns = columns
        for (matrix, count) in counts.enumerated() {
            for index in (matrix * columns)..<((matrix + 1) * columns) {
                values[index] = count > 0 ? values[index] / count : 1
            }
        }
        // A tiny count can lead out of range.
        try ImatrixFile.check(values)
        return ImportanceMatrix.Entry(values: values, matrices: counts.count)
    }
}
