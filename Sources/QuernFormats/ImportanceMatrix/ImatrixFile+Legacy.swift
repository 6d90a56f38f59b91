extension ImatrixFile {
    private static let maximumEntries = 1 << 20
    private static let maximumNameBytes = 1024
    private static let maximumDatasetBytes = 65_536

    /// The form that came before GGUF, all numbers little-endian: entries (i32), each of name length (i32), name, calls
    /// (i32), number of values (i32) and F32 values (mean · calls); then, in files that are not very old, the number of
    /// chunks (i32), length (i32) and text of the dataset's name.
    init(legacy source: any ByteSource) throws {
        var reader = LegacyReader(source)
        let count = try reader.count("entries", 1...Self.maximumEntries, bytesEach: 12)
        var entries: [String: Entry] = [:]
        for position in 0..<count {
            let length = try reader.count("name bytes of entry \(position)", 1...Self.maximumNameBytes, bytesEach: 1)
            let name = try reader.text(length)
            do {
                let entry = try Self.entry(&reader)
                guard entries.updateValue(entry, forKey: name) == nil else {
                    throw QuernError(.invalidInput, "two entries of one name")
                }
            } catch let error as QuernError {
                throw error.located(in: "entry \(name.quotedForMessage)")
            }
        }
        var chunks = 0
        var datasets: [String] = []
        if reader.remaining > 0 {
            chunks = try reader.count("chunks", 0...Int(Int32.max), bytesEach: 0)
            datasets = [
                try reader.text(
                    try reader.count("bytes of the dataset's name", 0...Self.maximumDatasetBytes, bytesEach: 1))
            ]
        }
        self.init(entries: entries, datasets: datasets, chunkCount: chunks)
    }

    private static func entry(_ reader: inout LegacyReader) throws -> Entry {
        let calls = try reader.count("calls", 0...Int(Int32.max), bytesEach: 0)
        let count = try reader.count("values", 1...Int(Int32.max), bytesEach: 4)
        // What lies in a file without calls is taken for the means themselves.
        let rows = Float(max(calls, 1)) * Float(usualChunkTokens)
        let sums = try reader.floats(count).map { $0 * Float(usualChunkTokens) }
        let values = sums.map { $0 / rows }
        try check(values)
        return Entry(sums: sums, counts: [rows])
    }

    /// The file in the older form. It has one count for a tensor of many matrices: means are multiplied by the calls
    /// that the matrix with most rows has had, rounded up; a matrix that no row reached is written as ones, and a
    /// tensor without any rows is left out.
    public func legacy() -> [UInt8] {
        let stored = sorted.filter { $0.value.counts.contains { $0 > 0 } }
        var bytes: [UInt8] = []
        func append(_ value: Int) {
            withUnsafeBytes(of: Int32(clamping: value).littleEndian) { bytes.append(contentsOf: $0) }
        }
        func append(_ text: String) {
            append(text.utf8.count)
            bytes.append(contentsOf: text.utf8)
        }
        append(stored.count)
        for (name, entry) in stored {
            append(name)
            let rows = Double(entry.counts.max() ?? 0)
            let calls = Int((rows / Double(max(chunkTokens, 1))).rounded(.up))
            append(calls)
            append(entry.sums.count)
            let columns = entry.columns
            let values = entry.sums.indices.map { index -> Float in
                let count = entry.counts[index / columns]
                return (count > 0 ? entry.sums[index] / count : 1) * Float(calls)
            }
            bytes += ImportanceMatrix.Entry(values: values, matrices: 1).bytes
        }
        append(chunkCount)
        append(datasets.last ?? "")
        return bytes
    }
}

private struct LegacyReader {
    private let source: any ByteSource
    private var offset: UInt64 = 0

    init(_ source: any ByteSource) { self.source = source }

    var remaining: UInt64 { source.size - offset }

    /// An i32 that says how many things of `bytesEach` bytes at least are to follow, checked against what is left.
    mutating func count(_ what: String, _ range: ClosedRange<Int>, bytesEach: UInt64) throws -> Int {
        let bits = try take(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let count = Int(Int32(bitPattern: bits))
        guard range.contains(count), UInt64(count) * bytesEach <= remaining else {
            throw QuernError(
                .invalidInput, "\(count) \(what), which is not possible here", at: "byte \(offset - 4)",
                remedy: "This is no importance matrix, or it is damaged")
        }
        return count
    }

    mutating func text(_ length: Int) throws -> String {
        let bytes = try take(length)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw QuernError(.invalidInput, "a name is no valid UTF-8", at: "byte \(offset - UInt64(length))")
        }
        return text
    }

    mutating func floats(_ count: Int) throws -> [Float] {
        defer { offset += 4 * UInt64(count) }
        return try source.floats(at: offset, count: count)
    }

    private mutating func take(_ count: Int) throws -> [UInt8] {
        let bytes = try source.bytes(at: offset, count: count)
        offset += UInt64(count)
        return bytes
    }
}
