import QuernFormats
import TestSupport
import Testing

struct ImportanceMatrixTests {
    typealias Sums = (name: String, shape: [Int], values: [Float])

    static func read(_ bytes: [UInt8]) throws -> ImportanceMatrix {
        try ImportanceMatrix.read(from: MemoryByteSource(bytes, name: "i.gguf"))
    }

    static let keys: [(key: String, value: GGUFValue)] = [
        ("general.type", .string("imatrix")), ("imatrix.datasets", .array(.string(["wiki.txt", "code.txt"]))),
        ("imatrix.chunk_count", .uint32(10)), ("imatrix.chunk_size", .uint32(512)),
    ]

    static func gguf(_ tensors: [Sums], keys: [(key: String, value: GGUFValue)] = keys) -> [UInt8] {
        var infos: [GGUFTensorInfo] = []
        var data = ByteBuilder()
        for tensor in tensors {
            infos.append(
                GGUFTensorInfo(name: tensor.name, shape: tensor.shape, type: .f32, offset: UInt64(data.bytes.count)))
            data = tensor.values.reduce(data) { $0.f32($1) }.padded()
        }
        return GGUFHeaderWriter.bytes(metadata: keys, tensors: infos) + data.bytes
    }

    static func legacy(calls: Int32 = 4, values: [Float] = [4, 8]) -> ByteBuilder {
        let start = ByteBuilder().i32(1).i32(5).raw("a.wei".utf8).i32(calls).i32(Int32(values.count))
        return values.reduce(start) { $0.f32($1) }
    }

    /// Made by llama-imatrix; the values below are its sums divided by 5120 in single precision.
    @Test func aRealFile() throws {
        let matrix = try ImportanceMatrix.read(path: Fixtures.path("imatrix/phi3.gguf"))
        #expect(matrix.entries.count == 9 && matrix.datasets == ["fixture.txt"] && matrix.chunkCount == 10)
        let entry = try #require(matrix.entries["blk.0.attn_output.weight"])
        #expect(entry.matrices == 1 && entry.columns == 256)
        #expect(entry.values.prefix(3) == [1.001231, 1.3481665, 0.76022726])
        #expect(try #require(matrix.entries["output.weight"]).values.prefix(3) == [9.950126, 0.80249786, 0.6598512])
    }

    @Test func matricesAreDividedByTheirOwnCounts() throws {
        let matrix = try Self.read(
            Self.gguf([
                ("blk.0.x.counts", [1, 3], [3, 0, 2]), ("blk.0.x.in_sum2", [2, 3], [1, 2, 5, 6, 7, 8]),
                ("something.else", [1], [1]),
            ]))
        #expect(matrix.datasets == ["wiki.txt", "code.txt"])
        let entry = try #require(matrix.entries["blk.0.x"])
        #expect(matrix.entries.count == 1 && entry.matrices == 3 && entry.columns == 2)
        #expect(entry.values == [Float(1) / 3, Float(2) / 3, 1, 1, 3.5, 4])
    }

    @Test func bytesAreLittleEndian() {
        #expect(ImportanceMatrix.Entry(values: [1, 0.5], matrices: 1).bytes == [0, 0, 0x80, 0x3F, 0, 0, 0, 0x3F])
    }

    @Test(
        arguments: [
            ([("t.in_sum2", [2], [1, .nan]), ("t.counts", [1], [1])], "value 1 is nan"),
            ([("t.in_sum2", [2], [-1, 1]), ("t.counts", [1], [0])], "value 0 is -1.0"),
            ([("t.in_sum2", [2], [.infinity, 1]), ("t.counts", [1], [0])], "value 0 is inf"),
            ([("t.in_sum2", [1], [3e38]), ("t.counts", [1], [0.5])], "value 0 is inf"),
            ([("t.in_sum2", [1], [1]), ("t.counts", [1], [-1])], "count 0 is -1.0"),
            ([("t.in_sum2", [1], [1]), ("t.counts", [1], [.nan])], "count 0 is nan"),
            (
                [("t.in_sum2", [2, 2], [1, 1, 1, 1]), ("t.counts", [1], [1])],
                "counts of shape [1] for sums of shape [2, 2]"
            ),
            ([("t.in_sum2", [1], [1])], "sums without counts"), ([("t.counts", [1], [1])], "counts without sums"),
        ] as [([Sums], String)])
    func brokenEntries(tensors: [Sums], message: String) throws {
        let error = try #require(quernError { try Self.read(Self.gguf(tensors)) })
        #expect(error.location == "i.gguf: entry 't'" && error.message.contains(message), "\(error)")
    }

    @Test(arguments: [
        (0, GGUFValue.string("model"), "not 'imatrix'"), (1, .string("x"), "array of strings"),
        (2, .string("x"), "no count"),
    ])
    func brokenKeys(index: Int, value: GGUFValue, message: String) throws {
        var keys = Self.keys
        keys[index].value = value
        let bytes = Self.gguf([("t.in_sum2", [1], [1]), ("t.counts", [1], [1])], keys: keys)
        let error = try #require(quernError { try Self.read(bytes) })
        #expect(error.message.contains(message), "\(error)")
    }

    @Test func withoutEntries() throws {
        #expect(quernError { try Self.read(Self.gguf([])) }?.message.contains("without entries") == true)
    }

    @Test(arguments: [(4, [1, 2]), (0, [4, 8]), (3, [Float(4) / 3, Float(8) / 3])] as [(Int32, [Float])])
    func legacyValuesAreDividedByCalls(calls: Int32, expected: [Float]) throws {
        let matrix = try Self.read(Self.legacy(calls: calls).bytes)
        #expect(matrix.entries == ["a.wei": ImportanceMatrix.Entry(values: expected, matrices: 1)])
        #expect(matrix.datasets == [] && matrix.chunkCount == 0)
    }

    @Test func legacyFilesMayNameTheirDataset() throws {
        let matrix = try Self.read(Self.legacy().i32(125).i32(8).raw("wiki.txt".utf8).bytes)
        #expect(matrix.datasets == ["wiki.txt"] && matrix.chunkCount == 125)
    }

    @Test(arguments: [
        (ByteBuilder(), "4 bytes at offset 0"), (ByteBuilder().i32(0), "0 entries"),
        (ByteBuilder().i32(-1), "-1 entries"),
        (ByteBuilder().i32(.max).zeros(100), "2147483647 entries"), (ByteBuilder().i32(3).zeros(35), "3 entries"),
        (ByteBuilder().i32(1).i32(.max).zeros(100), "2147483647 name bytes"),
        (ByteBuilder().i32(1).i32(0).zeros(100), "0 name bytes"),
        (ByteBuilder().i32(1).i32(1).raw([0xFF]).zeros(100), "no valid UTF-8"), (legacy(calls: -1), "-1 calls"),
        (ByteBuilder().i32(1).i32(1).raw("a".utf8).i32(1).i32(.max).zeros(9), "2147483647 values"),
        (ByteBuilder().i32(1).i32(1).raw("a".utf8).i32(1).i32(0).zeros(9), "0 values"),
        (legacy(values: [.nan]), "value 0 is nan"), (legacy(values: [1, -2]), "value 1 is -0.5"),
        (legacy().raw([1]), "4 bytes at offset"),
        (legacy().i32(1).i32(9).raw("x".utf8), "9 bytes of the dataset's name"), (legacy().i32(-1).i32(0), "-1 chunks"),
    ])
    func brokenLegacyFiles(builder: ByteBuilder, message: String) throws {
        let error = try #require(quernError { try Self.read(builder.bytes) })
        #expect(error.code == .invalidInput && error.location.hasPrefix("i.gguf"))
        #expect(error.message.contains(message), "\(error)")
    }

    @Test func legacyNamesAreUnique() throws {
        let entry = Self.legacy().bytes.dropFirst(4)
        let error = try #require(quernError { try Self.read(ByteBuilder().i32(2).raw(entry).raw(entry).bytes) })
        #expect(error == QuernError(.invalidInput, "two entries of one name", at: "i.gguf: entry 'a.wei'"))
    }
}
