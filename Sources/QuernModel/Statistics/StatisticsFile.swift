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
    private static let format = "quern-statistics-1"
    private static let suffixes: [(name: String, type: SafetensorsType)] = [
        ("count", .i64), ("max_abs", .f32), ("sum_abs", .f64), ("sum_squares", .f64),
    ]
    /// Larger than those of any model.
    private static let maximumBytes: UInt64 = 64 << 30

    /// - Throws: `QuernError` `.invalidInput` where the sums do not fit their shapes, or only some inputs have Gram
    ///   matrices.
    public static func bytes(_ statistics: ModelStatistics) throws(QuernError) -> [UInt8] {
        let origin = statistics.origin
        var metadata = [
            "format": format, "architecture": origin.architecture, "files": origin.files.joined(separator: "\n"),
            "text": origin.text.hex, "chunk_tokens": String(origin.chunkTokens),
            "arithmetic": statistics.arithmetic.joined(separator: "\n"), "chunks": String(statistics.chunks),
            "tensors": statistics.inputs.map { $0.tensors.joined(separator: " ") }.joined(separator: "\n"),
        ]
        let columns = statistics.inputs.compactMap { $0.gram?.layout.blockColumns }
        guard columns.isEmpty || columns.count == statistics.inputs.count else {
            throw QuernError(.invalidInput, "only some inputs have Gram matrices")
        }
        if !columns.isEmpty { metadata["gram_columns"] = columns.map(String.init).joined(separator: "\n") }
        let header = try SafetensorsWriter.header(
            tensors: statistics.inputs.flatMap { input in
                var infos = suffixes.map { suffix in
                    SafetensorsTensorInfo(
                        name: "\(input.name).\(suffix.name)", type: suffix.type,
                        shape: suffix.name == "count" ? [input.matrices] : [input.matrices, input.channels])
                }
                if let gram = input.gram {
                    infos.insert(
                        SafetensorsTensorInfo(
                            name: "\(input.name).gram", type: .f32, shape: [input.matrices, gram.layout.values]),
                        at: 1)
                }
                return infos
            }, metadata: metadata)
        var bytes = header
        bytes.reserveCapacity(
            header.count
                + statistics.inputs.reduce(0) {
                    $0 + 8 * $1.matrices + 20 * $1.squares.count + 4 * ($1.gram?.values.count ?? 0)
                })
        for input in statistics.inputs {
            bytes.append(littleEndian: input.counts)
            if let gram = input.gram { bytes.append(littleEndian: gram.values.map { Float($0).bitPattern }) }
            bytes.append(littleEndian: input.maxima.map(\.bitPattern))
            bytes.append(littleEndian: input.magnitudes.map(\.bitPattern))
            bytes.append(littleEndian: input.squares.map(\.bitPattern))
        }
        return bytes
    }

    /// - Throws: `QuernError` `.invalidInput` where the file is no such statistics, naming the tensor or the key.
    public static func read(from source: any ByteSource) throws -> ModelStatistics {
        do {
            guard source.size <= maximumBytes else {
                throw QuernError(.invalidInput, "\(source.size) bytes, at most \(maximumBytes) are read")
            }
            return try statistics(SafetensorsHeader.read(from: source), in: source)
        } catch let error as QuernError where !error.location.hasPrefix(source.name) {
            throw error.located(in: source.name)
        }
    }

    private static func statistics(
        _ header: SafetensorsHeader, in source: any ByteSource
    ) throws -> ModelStatistics {
        func text(_ key: String) throws(QuernError) -> String {
            guard let text = header.metadata[key] else {
                throw QuernError(.invalidInput, "'\(key)' is missing: these are no statistics", at: "__metadata__")
            }
            return text
        }
        func number(_ key: String) throws(QuernError) -> Int {
            guard let number = Int(try text(key)), number > 0, number <= Int32.max else {
                throw QuernError(.invalidInput, "'\(key)' is no number above 0", at: "__metadata__")
            }
            return number
        }
        let format = try text("format")
        guard format == self.format else {
            throw QuernError(
                .unsupported, "the format \(format.quotedForMessage) is not known", at: "__metadata__",
                remedy: "Use the release of quern that wrote it, or a newer one")
        }
        guard let digest = Digest(hex: try text("text")) else {
            throw QuernError(.invalidInput, "'text' is no sha256", at: "__metadata__")
        }
        let tensors = Dictionary(
            header.tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let list = try text("tensors")
        let lines = list.isEmpty ? [] : list.split(separator: "\n", omittingEmptySubsequences: false)
        let columns = try header.metadata["gram_columns"].map {
            try gramColumns($0, inputs: lines.count)
        }
        guard lines.count * (suffixes.count + (columns == nil ? 0 : 1)) == header.tensors.count else {
            throw QuernError(.invalidInput, "'tensors' does not list the inputs of the file", at: "__metadata__")
        }
        let names = header.tensors.map(\.name).filter { $0.hasSuffix(".count") }
            .map { String($0.dropLast(".count".count)) }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        guard names.count == lines.count else {
            throw QuernError(.invalidInput, "an input without a count", at: "__metadata__")
        }
        let inputs = try zip(names, lines).enumerated().map { index, input in
            let (name, line) = input
            var sums = try self.input(name, tensors: line.split(separator: " ").map(String.init), in: tensors, source)
            if let columns { sums.gram = try gram(of: sums, blockColumns: columns[index], in: tensors, source) }
            return sums
        }
        let files = try text("files")
        return ModelStatistics(
            origin: ModelStatistics.Origin(
                architecture: try text("architecture"),
                files: files.isEmpty ? [] : files.split(separator: "\n").map(String.init), text: digest,
                chunkTokens: try number("chunk_tokens")),
            arithmetic: try text("arithmetic").split(separator: "\n").map(String.init), chunks: try number("chunks"),
            inputs: inputs)
    }

    private static func input(
        _ name: String, tensors names: [String], in tensors: [String: SafetensorsTensor], _ source: any ByteSource
    ) throws -> InputStatistics {
        let found = try suffixes.map { suffix throws(QuernError) in
            guard let tensor = tensors["\(name).\(suffix.name)"], tensor.type == suffix.type else {
                throw fault(name, "\(suffix.name) in \(suffix.type.rawValue) is missing")
            }
            return tensor
        }
        let shape = found[1].shape
        guard shape.count == 2, shape[0] > 0, shape[1] > 0, found[0].shape == [shape[0]],
            found[2].shape == shape, found[3].shape == shape, !names.isEmpty
        else { throw fault(name, "its sums do not have one shape [matrices, channels]") }
        var input = InputStatistics(name: name, tensors: names, channels: shape[1], matrices: shape[0])
        input.counts = try source.littleEndian(found[0]).map { Int64(bitPattern: $0) }
        input.maxima = try source.littleEndian(found[1]).map { Float(bitPattern: $0) }
        input.magnitudes = try source.littleEndian(found[2]).map { Double(bitPattern: $0) }
        input.squares = try source.littleEndian(found[3]).map { Double(bitPattern: $0) }
        // So that counts can be added without an overflow.
        guard input.counts.allSatisfy({ $0 >= 0 && $0 <= 1 << 48 }) else {
            throw fault(name, "a count that is negative or out of range")
        }
        guard (input.squares + input.magnitudes).allSatisfy({ $0 >= 0 }), input.maxima.allSatisfy({ $0 >= 0 }),
            input.isFinite
        else { throw fault(name, "a sum that is negative or not finite") }
        return input
    }

    private static func gramColumns(_ text: String, inputs: Int) throws(QuernError) -> [Int] {
        let columns = text.isEmpty ? [] : text.split(separator: "\n", omittingEmptySubsequences: false).map { Int($0) }
        guard columns.count == inputs, columns.allSatisfy({ $0 != nil }) else {
            throw QuernError(
                .invalidInput, "'gram_columns' has no number for every input of the file", at: "__metadata__")
        }
        return columns.compactMap(\.self)
    }

    private static func gram(
        of input: InputStatistics, blockColumns: Int, in tensors: [String: SafetensorsTensor],
        _ source: any ByteSource
    ) throws -> GramMatrices {
        guard let layout = GramLayout(channels: input.channels, blockColumns: blockColumns) else {
            throw fault(input.name, "blocks of \(blockColumns) columns in a Gram matrix of \(input.channels)")
        }
        guard let tensor = tensors["\(input.name).gram"], tensor.type == .f32,
            tensor.shape == [input.matrices, layout.values]
        else { throw fault(input.name, "gram in F32 [\(input.matrices), \(layout.values)] is missing") }
        let gram = GramMatrices(
            layout: layout, values: try source.littleEndian(tensor).map { Double(Float(bitPattern: $0)) })
        guard gram.isFinite, gram.diagonal.allSatisfy({ $0 >= 0 }) else {
            throw fault(input.name, "a Gram matrix that is not finite, or has a negative square")
        }
        return gram
    }

    private static func fault(_ name: String, _ message: String) -> QuernError {
        QuernError(
            .invalidInput, message, at: "input \(name.quotedForMessage)",
            remedy: "The file is damaged: calibrate again")
    }
}

extension ByteSource {
    /// The values of a tensor whose header was checked against the size of the source.
    fileprivate func littleEndian<Value: FixedWidthInteger>(_ tensor: SafetensorsTensor) throws -> [Value] {
        let count = Int(tensor.length) / MemoryLayout<Value>.size
        return try [Value](unsafeUninitializedCapacity: count) { buffer, initialized in
            try read(at: tensor.offset, into: UnsafeMutableRawBufferPointer(buffer))
            for index in 0..<count { buffer[index] = Value(littleEndian: buffer[index]) }
            initialized = count
        }
    }
}
