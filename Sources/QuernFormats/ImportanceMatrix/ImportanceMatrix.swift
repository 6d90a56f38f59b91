/// Mean squares of the inputs of every weight, as `llama-imatrix` collects them: what an encoder weighs errors by.
public struct ImportanceMatrix: Sendable {
    /// The statistics of one tensor.
    public struct Entry: Sendable, Equatable {
        /// Matrix after matrix, each of `columns` values; finite, not negative.
        public let values: [Float]
        /// 1, or the experts of the tensor. Always 1 for legacy files, which do not say: there, hold `values.count`
        /// against the tensor.
        public let matrices: Int

        public init(values: [Float], matrices: Int) {
            self.values = values
            self.matrices = matrices
        }

        public var columns: Int { values.count / matrices }

        /// The values as little-endian F32: the form that is hashed and stored.
        public var bytes: [UInt8] {
            [UInt8](unsafeUninitializedCapacity: 4 * values.count) { buffer, initialized in
                let raw = UnsafeMutableRawBufferPointer(buffer)
                for (index, value) in values.enumerated() {
                    raw.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: 4 * index, as: UInt32.self)
                }
                initialized = 4 * values.count
            }
        }
    }

    /// By the name of the tensor in the GGUF: `blk.0.attn_q.weight`.
    public let entries: [String: Entry]
    /// The texts it was made from, as far as the file says.
    public let datasets: [String]
    /// Chunks of text it was made from; 0 where a legacy file does not say.
    public let chunkCount: Int

    public init(entries: [String: Entry], datasets: [String], chunkCount: Int) {
        self.entries = entries
        self.datasets = datasets
        self.chunkCount = chunkCount
    }

    /// Reads a file of either form: GGUF, or the older `.dat`, told apart by their first bytes.
    /// - Throws: `QuernError` naming the file, and the entry where it is about one. Values that are not finite or
    ///   negative are refused: a mean of squares is neither.
    public static func read(path: String) throws -> ImportanceMatrix { try read(from: FileByteSource(path: path)) }

    public static func read(from source: any ByteSource) throws -> ImportanceMatrix {
        let file = try ImatrixFile.read(from: source)
        do throws(QuernError) {
            return try file.importanceMatrix()
        } catch {
            throw error.located(in: source.name)
        }
    }
}
