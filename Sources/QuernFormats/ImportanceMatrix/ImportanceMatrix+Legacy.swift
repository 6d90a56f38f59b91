extension ImportanceMatrix {
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
        var values = try reader.floats(count)
        if calls > 0 {
            for index in values.indices { values[index] /= Float(calls) }
        }
        try check(values)
        return Entry(values: values, matrices: 1)
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
