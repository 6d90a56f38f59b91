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

    @Test func aRealFileKeepsItsContent() throws {
        let file = try read(Fixtures.bytes("imatrix/phi3.gguf"))
        #expect(try read(file.gguf()) == file)
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

    @Test func keysAboutTheTextSurvive() throws {
        var file = Self.file
        file.text = .init(distinctTokens: 300, vocabulary: 32_000)
        #expect(try read(file.gguf()) == file)
    }

    @Test func addingAddsSumsAndCounts() throws {
        var sum = Self.file
        sum.text = .init(distinctTokens: 3, vocabulary: 9)
        try sum.add(
            ImatrixFile(
                entries: [
                    "blk.1.ffn_up_exps.weight": .init(sums: [1, 1, 1, 1, 1, 1], counts: [1, 2, 3]),
                    "output.weight": .init(sums: [9], counts: [2]),
                ], datasets: ["b.txt", "c.txt"], chunkCount: 5))
        #expect(
            sum
                == ImatrixFile(
                    entries: [
                        "blk.1.ffn_up_exps.weight": .init(sums: [2, 3, 1, 1, 7, 9], counts: [5, 2, 5]),
                        "blk.0.attn_q.weight": .init(sums: [512, 1024], counts: [1024]),
                        "output.weight": .init(sums: [9], counts: [2]),
                    ], datasets: ["a.txt", "b.txt", "c.txt"], chunkCount: 7))
    }

    @Test(arguments: [
        (ImatrixFile.Entry(sums: [1], counts: [1]), 512, "1 values for each of 1 matrices, and 2"),
        (ImatrixFile.Entry(sums: [1, 2], counts: [1, 1]), 512, "1 values for each of 2 matrices, and 2"),
        (ImatrixFile.Entry(sums: [1, 2], counts: [1]), 256, "chunks of 256 tokens, and of 512 before"),
        (ImatrixFile.Entry(sums: [.greatestFiniteMagnitude, 2], counts: [1]), 512, "value 0 is inf"),
    ])
    func otherShapesAreNotAdded(entry: ImatrixFile.Entry, tokens: Int, message: String) throws {
        var sum = Self.file
        sum.entries["blk.0.attn_q.weight"]?.sums[0] = .greatestFiniteMagnitude
        let other = ImatrixFile(
            entries: ["blk.0.attn_q.weight": entry], datasets: [], chunkCount: 1, chunkTokens: tokens)
        let error = try #require(quernError { try sum.add(other) })
        #expect(error.code == .invalidInput && error.message.contains(message), "\(error)")
    }
}
