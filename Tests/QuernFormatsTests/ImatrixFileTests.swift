import QuernFormats
import TestSupport
import Testing

struct ImatrixFileTests {
    static let file = ImatrixFile(
        entries: [
            "blk.1.ffn_up_exps.weight": .init(sums: [1, 2, 0, 0, 6, 8], counts: [4, 0, 2]),
            "blk.0.attn_q.weight": .init(sums: [512, 1024], counts: [1024]),
        ], datasets: ["a.txt", "b.txt"], chunkCount: 2)

    private func read(_ bytes: [UInt8]) throws -> ImatrixFile {
        try ImatrixFile.read(from: MemoryByteSource(bytes, name: "i"))
    }

    @Test func aRealFileIsWrittenAsItWas() throws {
        let bytes = try Fixtures.bytes("imatrix/phi3.gguf")
        #expect(try read(bytes).gguf() == bytes)
    }

    @Test func ggufKeepsEverything() throws {
        #expect(try read(Self.file.gguf()) == Self.file)
    }

    /// Means times calls: the calls of the matrix with most rows, rounded up.
    @Test func legacyBytes() throws {
        let file = ImatrixFile(
            entries: [
                "e": .init(sums: [1, 2, 0, 0, 6, 8], counts: [600, 0, 2]), "a": .init(sums: [512], counts: [1024]),
                "none": .init(sums: [0], counts: [0]),
            ], datasets: ["a.txt", "b.txt"], chunkCount: 2)
        let a = ByteBuilder().i32(2).i32(1).raw("a".utf8).i32(2).i32(1).f32(1)
        let e = a.i32(1).raw("e".utf8).i32(2).i32(6)
            .f32(1 / 600 * 2).f32(2 / 600 * 2).f32(2).f32(2).f32(6).f32(8)
        #expect(file.legacy() == e.i32(2).i32(5).raw("b.txt".utf8).bytes)
    }

    @Test func legacyFilesAreReadAsChunksOf512Rows() throws {
        let file = try read(Self.file.legacy())
        #expect(file.entries["blk.0.attn_q.weight"] == .init(sums: [512, 1024], counts: [1024]))
        #expect(file.datasets == ["b.txt"] && file.chunkCount == 2 && file.chunkTokens == 512)
        #expect(
            try file.importanceMatrix().entries["blk.1.ffn_up_exps.weight"]?.values == [0.25, 0.5, 1, 1, 3, 4])
    }

    @Test func meansAreSumsByCounts() throws {
        let matrix = try Self.file.importanceMatrix()
        #expect(
            matrix.entries["blk.1.ffn_up_exps.weight"]
                == ImportanceMatrix.Entry(values: [0.25, 0.5, 1, 1, 3, 4], matrices: 3))
        #expect(matrix.chunkCount == 2 && matrix.datasets == ["a.txt", "b.txt"])
    }
}
