extension ImatrixFile {
    private static let distinctKey = "quern.imatrix.distinct_tokens"
    private static let vocabularyKey = "quern.imatrix.vocabulary_size"
    private static let sumsSuffix = ".in_sum2"
    private static let countsSuffix = ".counts"
    /// Bytes of the sums and counts of one tensor: thousands of experts of the widest models.
    static let maximumRows: Float = 0x1p52
    private static let maximumTensorBytes: UInt64 = 1 << 30

    /// The GGUF form: for every tensor the sums of squares F32 [columns, matrices] and how many rows they are over,
    /// F32 [1, matrices].
    init(gguf source: any ByteSource) throws {
        let header = try GGUFHeader.read(from: source)
        let type = header["general.type"]?.text
        guard type == "imatrix" else {
            throw QuernError(
                .invalidInput, "general.type is \(type.map(\.quotedForMessage) ?? "missing"), not 'imatrix'",
                remedy: "This GGUF holds no importance matrix; did you mean another file?")
        }
        let names = try header["imatrix.datasets"].map { value in
            guard let strings = value.strings else {
                throw QuernError(.invalidInput, "\(value), it must be an array of strings", at: "imatrix.datasets")
            }
            return strings.map(\.text)
        }
        guard let chunks = Self.count(header, "imatrix.chunk_count") else {
            throw QuernError(.invalidInput, "missing or no count", at: "imatrix.chunk_count")
        }
        let tokens = Self.count(header, "imatrix.chunk_size") ?? Self.usualChunkTokens
        var sums: [String: GGUFTensor] = [:]
        var counts: [String: GGUFTensor] = [:]
        for tensor in header.tensors {
            if tensor.name.hasSuffix(Self.sumsSuffix) {
                sums[String(tensor.name.dropLast(Self.sumsSuffix.count))] = tensor
            } else if tensor.name.hasSuffix(Self.countsSuffix) {
                counts[String(tensor.name.dropLast(Self.countsSuffix.count))] = tensor
            }
        }
        if let name = Set(sums.keys).symmetricDifference(counts.keys).min() {
            throw QuernError(
                .invalidInput, "it has \(sums[name] == nil ? "counts without sums" : "sums without counts")",
                at: "entry \(name.quotedForMessage)")
        }
        var entries: [String: Entry] = [:]
        for (name, sum) in sums {
            guard let count = counts[name] else { continue }
            do {
                entries[name] = try Self.entry(sums: sum, counts: count, in: source)
            } catch let error as QuernError {
                throw error.located(in: "entry \(name.quotedForMessage)")
            }
        }
        self.init(
            entries: entries, datasets: names ?? [], chunkCount: chunks, chunkTokens: tokens, text: Self.text(header))
    }

    /// - Returns: nil where it is missing, or more than 32 bits hold.
    private static func count(_ header: GGUFHeader, _ key: String) -> Int? {
        header[key]?.unsigned.flatMap(UInt32.init(exactly:)).map(Int.init)
    }

    private static func text(_ header: GGUFHeader) -> Text? {
        guard let distinct = count(header, distinctKey),
            let vocabulary = count(header, vocabularyKey)
        else { return nil }
        return Text(distinctTokens: distinct, vocabulary: vocabulary)
    }

    private static func entry(sums: GGUFTensor, counts: GGUFTensor, in source: any ByteSource) throws -> Entry {
        let matrices = sums.shape.dropFirst().reduce(1, *)
        guard counts.shape.reduce(1, *) == matrices else {
            throw QuernError(.invalidInput, "counts of shape \(counts.shape) for sums of shape \(sums.shape)")
        }
        let entry = Entry(sums: try floats(sums, in: source), counts: try floats(counts, in: source))
        try check(entry.sums)
        for (matrix, count) in entry.counts.enumerated() where !(0...maximumRows).contains(count) {
            throw QuernError(.invalidInput, "count \(matrix) is \(count), it must be from 0 to \(maximumRows)")
        }
        return entry
    }

    private static func floats(_ tensor: GGUFTensor, in source: any ByteSource) throws -> [Float] {
        guard tensor.type == .f32, tensor.bytes <= maximumTensorBytes else {
            throw QuernError(
                .invalidInput,
                "\(tensor.type) of shape \(tensor.shape), it must be F32 of at most \(maximumTensorBytes) bytes")
        }
        return try source.floats(at: tensor.offset, count: Int(tensor.bytes / 4))
    }

    /// The file in the GGUF form, entries sorted by name, as llama-imatrix writes it. Only
    /// keys about the text are our own.
    public func gguf() -> [UInt8] {
        var metadata: [(key: String, value: GGUFValue)] = [
            ("general.type", .string(GGUFString("imatrix"))),
            ("imatrix.datasets", .array(.string(datasets.map { GGUFString($0) }))),
            ("imatrix.chunk_count", .uint32(UInt32(clamping: chunkCount))),
            ("imatrix.chunk_size", .uint32(UInt32(clamping: chunkTokens))),
        ]
        if let text {
            metadata.append((Self.distinctKey, .uint32(UInt32(clamping: text.distinctTokens))))
            metadata.append((Self.vocabularyKey, .uint32(UInt32(clamping: text.vocabulary))))
        }
        var tensors: [GGUFTensorInfo] = []
        var data: [UInt8] = []
        for (name, entry) in sorted {
            let matrices = entry.counts.count
            for (suffix, values) in [(Self.sumsSuffix, entry.sums), (Self.countsSuffix, entry.counts)] {
                let columns = values.count / matrices
                tensors.append(
                    GGUFTensorInfo(
                        name: name + suffix, shape: matrices > 1 ? [columns, matrices] : [columns], type: .f32,
                        offset: UInt64(data.count)))
                data += ImportanceMatrix.Entry(values: values, matrices: matrices).bytes
                data.append(contentsOf: repeatElement(0, count: -data.count & (GGUFHeader.defaultAlignment - 1)))
            }
        }
        return GGUFHeaderWriter.bytes(metadata: metadata, tensors: tensors) + data
    }

    var sorted: [(key: String, value: Entry)] {
        entries.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }
}

extension ByteSource {
    /// Little-endian F32 values from `offset` on.
    func floats(at offset: UInt64, count: Int) throws -> [Float] {
        try [Float](unsafeUninitializedCapacity: count) { values, initialized in
            let raw = UnsafeMutableRawBufferPointer(values)
            try read(at: offset, into: raw)
            for index in 0..<count {
                let bits = UInt32(littleEndian: raw.load(fromByteOffset: 4 * index, as: UInt32.self))
                values[index] = Float(bitPattern: bits)
            }
            initialized = count
        }
    }
}
