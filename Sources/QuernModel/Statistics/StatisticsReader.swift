import QuernFormats
import QuernPlanning
import QuernStore

/// An open statistics file: what it says of itself, and the sums of any of its inputs.
public struct StatisticsReader: Sendable {
    public let origin: ModelStatistics.Origin
    public let arithmetic: [String]
    public let chunks: Int
    /// Of its inputs, sorted by name.
    public let shapes: [InputShape]

    private let tensors: [String: SafetensorsTensor]
    private let source: any ByteSource

    /// Reads the beginning of a file.
    /// - Throws: `QuernError` `.invalidInput` where the file is no such statistics, naming the tensor or the key.
    public init(_ source: any ByteSource) throws {
        self.source = source
        let header: SafetensorsHeader
        do {
            guard source.size <= StatisticsFile.maximumBytes else {
                throw QuernError(
                    .invalidInput, "\(source.size) bytes, at most \(StatisticsFile.maximumBytes) are read")
            }
            header = try SafetensorsHeader.read(from: source)
            let metadata = Metadata(values: header.metadata)
            let format = try metadata.text("format")
            guard format == StatisticsFile.format else {
                throw QuernError(
                    .unsupported, "the format \(format.quotedForMessage) is not known", at: "__metadata__",
                    remedy: "Use the release of quern that wrote it, or a newer one")
            }
            guard let digest = Digest(hex: try metadata.text("text")) else {
                throw QuernError(.invalidInput, "'text' is no sha256", at: "__metadata__")
            }
            let files = try metadata.text("files")
            origin = ModelStatistics.Origin(
                architecture: try metadata.text("architecture"),
                files: files.isEmpty ? [] : files.split(separator: "\n").map(String.init), text: digest,
                chunkTokens: try metadata.number("chunk_tokens"))
            arithmetic = try metadata.text("arithmetic").split(separator: "\n").map(String.init)
            chunks = try metadata.number("chunks")
            tensors = Dictionary(
                header.tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
            shapes = try Self.shapes(metadata, header, tensors)
        } catch let error as QuernError where !error.location.hasPrefix(source.name) {
            throw error.located(in: source.name)
        }
    }

    /// The sums about one matrix of the input that a tensor reads, as if it had no other.
    /// - Throws: `QuernError` `.invalidInput` where the file has nothing about it, or sums are none.
    public func statistics(ofTensor tensor: String, matrix: Int) throws -> InputStatistics {
        guard let shape = shapes.first(where: { $0.tensors.contains(tensor) }), (0..<shape.matrices).contains(matrix)
        else { throw QuernError(.invalidInput, "the statistics have nothing for it", at: tensor) }
        do {
            return try input(shape, matrices: matrix..<matrix + 1)
        } catch let error as QuernError where !error.location.hasPrefix(source.name) {
            throw error.located(in: source.name)
        }
    }

    /// The sums of some inputs, as if the file had only those.
    /// - Parameter inputs: a range of `shapes`.
    /// - Throws: `QuernError` `.invalidInput` where sums are none, naming the input.
    public func statistics(of inputs: Range<Int>) throws -> ModelStatistics {
        do {
            return ModelStatistics(
                origin: origin, arithmetic: arithmetic, chunks: chunks, inputs: try shapes[inputs].map(input))
        } catch let error as QuernError where !error.location.hasPrefix(source.name) {
            throw error.located(in: source.name)
        }
    }
}

extension StatisticsReader {
    private struct Metadata {
        let values: [String: String]

        func text(_ key: String) throws(QuernError) -> String {
            guard let text = values[key] else {
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

        /// Columns of the blocks of each input's Gram matrices; nil where there are none.
        func gramColumns(inputs: Int) throws(QuernError) -> [Int]? {
            guard let text = values["gram_columns"] else { return nil }
            let columns =
                text.isEmpty ? [] : text.split(separator: "\n", omittingEmptySubsequences: false).map { Int($0) }
            guard columns.count == inputs, columns.allSatisfy({ $0 != nil }) else {
                throw QuernError(
                    .invalidInput, "'gram_columns' has no number for every input of the file", at: "__metadata__")
            }
            return columns.compactMap(\.self)
        }
    }

    private static func shapes(
        _ metadata: Metadata, _ header: SafetensorsHeader, _ tensors: [String: SafetensorsTensor]
    ) throws(QuernError) -> [InputShape] {
        let list = try metadata.text("tensors")
        let lines = list.isEmpty ? [] : list.split(separator: "\n", omittingEmptySubsequences: false)
        let columns = try metadata.gramColumns(inputs: lines.count)
        guard lines.count * (StatisticsFile.suffixes.count + (columns == nil ? 0 : 1)) == header.tensors.count else {
            throw QuernError(.invalidInput, "'tensors' does not list the inputs of the file", at: "__metadata__")
        }
        let names = header.tensors.map(\.name).filter { $0.hasSuffix(".count") }
            .map { String($0.dropLast(".count".count)) }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        guard names.count == lines.count else {
            throw QuernError(.invalidInput, "an input without a count", at: "__metadata__")
        }
        var shapes: [InputShape] = []
        for (index, name) in names.enumerated() {
            shapes.append(
                try shape(
                    name, read: lines[index].split(separator: " ").map(String.init), blockColumns: columns?[index],
                    tensors))
        }
        return shapes
    }

    /// The shape of an input, all of whose tensors are there and fit it.
    private static func shape(
        _ name: String, read names: [String], blockColumns: Int?, _ tensors: [String: SafetensorsTensor]
    ) throws(QuernError) -> InputShape {
        var found: [SafetensorsTensor] = []
        for suffix in StatisticsFile.suffixes {
            guard let tensor = tensors["\(name).\(suffix.name)"], tensor.type == suffix.type else {
                throw fault(name, "\(suffix.name) in \(suffix.type.rawValue) is missing")
            }
            found.append(tensor)
        }
        let shape = found[1].shape
        guard shape.count == 2, shape[0] > 0, shape[1] > 0, found[0].shape == [shape[0]],
            found[2].shape == shape, found[3].shape == shape, !names.isEmpty
        else { throw fault(name, "its sums do not have one shape [matrices, channels]") }
        var layout: GramLayout?
        if let blockColumns {
            layout = GramLayout(channels: shape[1], blockColumns: blockColumns)
            guard let layout else {
                throw fault(name, "blocks of \(blockColumns) columns in a Gram matrix of \(shape[1])")
            }
            guard let tensor = tensors["\(name).gram"], tensor.type == .f32,
                tensor.shape == [shape[0], layout.values]
            else { throw fault(name, "gram in F32 [\(shape[0]), \(layout.values)] is missing") }
        }
        return InputShape(name: name, tensors: names, channels: shape[1], matrices: shape[0], gram: layout)
    }

    @inline(__always)
    private func values<Bits: FixedWidthInteger, Value>(
        _ shape: InputShape, _ suffix: String, _ matrices: Range<Int>, _ value: (Bits) -> Value
    ) throws -> [Value] {
        guard let tensor = tensors["\(shape.name).\(suffix)"] else {
            throw Self.fault(shape.name, "\(suffix) is missing")
        }
        return try source.littleEndian(tensor, part: matrices, of: shape.matrices, value)
    }

    private func input(_ shape: InputShape) throws -> InputStatistics {
        try input(shape, matrices: 0..<shape.matrices)
    }

    private func input(_ shape: InputShape, matrices: Range<Int>) throws -> InputStatistics {
        var input = InputStatistics(
            name: shape.name, tensors: shape.tensors, channels: shape.channels, matrices: matrices.count)
        input.counts = try values(shape, "count", matrices) { Int64(bitPattern: $0) }
        input.maxima = try values(shape, "max_abs", matrices) { Float(bitPattern: $0) }
        input.magnitudes = try values(shape, "sum_abs", matrices) { Double(bitPattern: $0) }
        input.squares = try values(shape, "sum_squares", matrices) { Double(bitPattern: $0) }
        // So that counts can be added without an overflow.
        guard input.counts.allSatisfy({ $0 >= 0 && $0 <= 1 << 48 }) else {
            throw Self.fault(shape.name, "a count that is negative or out of range")
        }
        guard (input.squares + input.magnitudes).allSatisfy({ $0 >= 0 }), input.maxima.allSatisfy({ $0 >= 0 }),
            input.isFinite
        else { throw Self.fault(shape.name, "a sum that is negative or not finite") }
        if let layout = shape.gram {
            let gram = GramMatrices(
                layout: layout, values: try values(shape, "gram", matrices) { Double(Float(bitPattern: $0)) })
            guard gram.isFinite, gram.diagonal.allSatisfy({ $0 >= 0 }) else {
                throw Self.fault(shape.name, "a Gram matrix that is not finite, or has a negative square")
            }
            input.gram = gram
        }
        return input
    }

    private static func fault(_ name: String, _ message: String) -> QuernError {
        QuernError(
            .invalidInput, message, at: "input \(name.quotedForMessage)",
            remedy: "The file is damaged: calibrate again")
    }
}

extension ByteSource {
    /// The values of a tensor whose header was checked against the size of the source.
    /// - Parameters:
    ///   - part: a range of equal parts.
    ///   - parts: of the whole tensor.
    ///   - value: what is made of the bits of each.
    @inline(__always)  // Unspecialized, it looks up types for every value.
    fileprivate func littleEndian<Bits: FixedWidthInteger, Value>(
        _ tensor: SafetensorsTensor, part: Range<Int>, of parts: Int, _ value: (Bits) -> Value
    ) throws -> [Value] {
        let size = Int(tensor.length) / parts
        let count = part.count * size / MemoryLayout<Bits>.size
        let start = tensor.offset + UInt64(part.lowerBound * size)
        return try [Value](unsafeUninitializedCapacity: count) { buffer, initialized in
            // In pieces: a copy of a large array would cost more than its values.
            try withUnsafeTemporaryAllocation(of: Bits.self, capacity: 4096) { piece in
                for first in stride(from: 0, to: count, by: piece.count) {
                    let bits = UnsafeMutableBufferPointer(rebasing: piece[..<min(piece.count, count - first)])
                    try read(
                        at: start + UInt64(first * MemoryLayout<Bits>.size), into: UnsafeMutableRawBufferPointer(bits))
                    for index in bits.indices {
                        buffer.initializeElement(at: first + index, to: value(Bits(littleEndian: bits[index])))
                    }
                    initialized = first + bits.count
                }
            }
        }
    }
}
