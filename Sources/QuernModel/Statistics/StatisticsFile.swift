import QuernFormats
import QuernPlanning
import QuernStore

/// Statistics as a safetensors file. Equal statistics give equal bytes.
///
/// For each input, sorted by name: `NAME.count` I64 [matrices], `NAME.max_abs` F32, `NAME.sum_abs` F64 and
/// `NAME.sum_squares` F64 [matrices, channels]. Its metadata say what they were made from, and `tensors` lists for each
/// input the GGUF tensors that read it: names separated by spaces, a line for each input.
///
/// Where XᵀX was asked for there is `NAME.gram` F32 [matrices, values] after the count: single precision, because the
/// products that were added up are no more precise. Of each block along the diagonal the upper triangle, row by row;
/// `gram_columns` says how many columns the blocks of each input have, a line for each input.
public enum StatisticsFile {
    static let format = "quern-statistics-1"
    static let suffixes: [(name: String, type: SafetensorsType)] = [
        ("count", .i64), ("max_abs", .f32), ("sum_abs", .f64), ("sum_squares", .f64),
    ]
    /// Larger than those of any model.
    static let maximumBytes: UInt64 = 64 << 30

    /// - Throws: `QuernError` `.invalidInput` where the sums do not fit their shapes, or only some inputs have Gram
    ///   matrices.
    public static func bytes(_ statistics: ModelStatistics) throws(QuernError) -> [UInt8] {
        let shapes = statistics.inputs.map(\.shape)
        var bytes = try header(
            origin: statistics.origin, arithmetic: statistics.arithmetic, chunks: statistics.chunks, shapes: shapes)
        bytes.reserveCapacity(bytes.count + shapes.reduce(0) { $0 + $1.bytes })
        for input in statistics.inputs { append(input, to: &bytes) }
        return bytes
    }

    /// The beginning of a file; the bytes of its inputs follow in the order of `shapes`, which are sorted by name.
    /// - Throws: as `bytes(_:)`.
    public static func header(
        origin: ModelStatistics.Origin, arithmetic: [String], chunks: Int, shapes: [InputShape]
    ) throws(QuernError) -> [UInt8] {
        var metadata = [
            "format": format, "architecture": origin.architecture, "files": origin.files.joined(separator: "\n"),
            "text": origin.text.hex, "chunk_tokens": String(origin.chunkTokens),
            "arithmetic": arithmetic.joined(separator: "\n"), "chunks": String(chunks),
            "tensors": shapes.map { $0.tensors.joined(separator: " ") }.joined(separator: "\n"),
        ]
        let columns = shapes.compactMap { $0.gram?.blockColumns }
        guard columns.isEmpty || columns.count == shapes.count else {
            throw QuernError(.invalidInput, "only some inputs have Gram matrices")
        }
        if !columns.isEmpty { metadata["gram_columns"] = columns.map(String.init).joined(separator: "\n") }
        return try SafetensorsWriter.header(
            tensors: shapes.flatMap { input in
                var infos = suffixes.map { suffix in
                    SafetensorsTensorInfo(
                        name: "\(input.name).\(suffix.name)", type: suffix.type,
                        shape: suffix.name == "count" ? [input.matrices] : [input.matrices, input.channels])
                }
                if let gram = input.gram {
                    infos.insert(
                        SafetensorsTensorInfo(
                            name: "\(input.name).gram", type: .f32, shape: [input.matrices, gram.values]),
                        at: 1)
                }
                return infos
            }, metadata: metadata)
    }

    /// The bytes of an input in a file.
    public static func bytes(of input: InputStatistics) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(input.shape.bytes)
        append(input, to: &bytes)
        return bytes
    }

    private static func append(_ input: InputStatistics, to bytes: inout [UInt8]) {
        bytes.append(littleEndian: input.counts)
        if let gram = input.gram { bytes.append(littleEndian: gram.values) { Float($0).bitPattern } }
        bytes.append(littleEndian: input.maxima, \.bitPattern)
        bytes.append(littleEndian: input.magnitudes, \.bitPattern)
        bytes.append(littleEndian: input.squares, \.bitPattern)
    }

    /// - Throws: `QuernError` `.invalidInput` where the file is no such statistics, naming the tensor or the key.
    public static func read(from source: any ByteSource) throws -> ModelStatistics {
        let reader = try StatisticsReader(source)
        return try reader.statistics(of: reader.shapes.indices)
    }
}
