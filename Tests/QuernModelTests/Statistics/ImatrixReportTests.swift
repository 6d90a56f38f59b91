import QuernFormats
import QuernModel
import Testing

struct ImatrixReportTests {
    static func report(
        _ entries: [String: ImatrixFile.Entry], chunks: Int = 100, text: ImatrixFile.Text? = nil
    ) -> ImatrixReport {
        ImatrixReport(ImatrixFile(entries: entries, datasets: ["t"], chunkCount: chunks, text: text))
    }

    @Test func measures() throws {
        // Means 1, 1, 2, 4, 0, 0, 0, 0.
        let tensor = try #require(
            Self.report(["blk.3.ffn_down.weight": .init(sums: [2, 2, 4, 8, 0, 0, 0, 0], counts: [2])]).tensors.first)
        #expect(tensor.layer == 3 && tensor.kind == "ffn_down" && tensor.count == 8)
        #expect(tensor.sum == 8 && tensor.minimum == 0 && tensor.maximum == 4 && tensor.mean == 1)
        #expect(tensor.deviation == (22.0 / 8 - 1).squareRoot() && tensor.active == 0.5)
        #expect(tensor.entropy == 1.75 && tensor.normalizedEntropy == 1.75 / 3)
        #expect(tensor.outliers == 0.125 && tensor.similarity == 0)
    }

    @Test func expertsWithoutRowsAreLeftOut() throws {
        let report = Self.report([
            "blk.0.ffn_up_exps.weight": .init(sums: [4, 4, 0, 0, 9, 3, 5, 5], counts: [4, 0, 3, 1])
        ])
        let tensor = try #require(report.tensors.first)
        #expect(tensor.count == 6 && tensor.sum == 16)
        let coverage = try #require(report.experts.first)
        #expect(coverage.experts == 4 && coverage.missing == [1])
        #expect(coverage.least == 0 && coverage.median == 2 && coverage.most == 4)
        #expect(report.warnings.count == 1 && report.warnings[0].contains("1 of 4 in blk.0.ffn_up_exps.weight"))
    }

    @Test func similarityIsThatOfTheLayerBefore() throws {
        let report = Self.report([
            "blk.0.attn_q.weight": .init(sums: [3, 4], counts: [1]),
            "blk.1.attn_q.weight": .init(sums: [4, 3], counts: [1]),
            "blk.2.attn_q.weight": .init(sums: [0, 0], counts: [1]), "output.weight": .init(sums: [1, 1], counts: [1]),
        ])
        let found = Dictionary(uniqueKeysWithValues: report.tensors.map { ($0.name, $0.similarity) })
        #expect(
            found == [
                "blk.0.attn_q.weight": 0, "blk.1.attn_q.weight": 0.96, "blk.2.attn_q.weight": 0, "output.weight": 0,
            ])
        #expect(report.layers.map(\.layer) == [0, 1, 2] && report.layers.map(\.similarity) == [0, 0.96, 0])
    }

    @Test func layersAreWeightedByChannels() throws {
        let report = Self.report([
            "blk.0.a.weight": .init(sums: [1, 1, 1], counts: [1]), "blk.0.b.weight": .init(sums: [7], counts: [1]),
        ])
        #expect(report.layers.map(\.sum) == [4])
        #expect(report.tensors.map(\.kind) == ["a", "b"])
    }

    @Test(arguments: [
        (chunks: 100, distinct: 2000, warnings: []), (chunks: 10, distinct: 2000, warnings: ["little text"]),
        (chunks: 100, distinct: 1599, warnings: ["uniform text"]),
        (chunks: 4, distinct: 20, warnings: ["little text", "uniform text"]),
    ])
    func warningsAboutTheText(chunks: Int, distinct: Int, warnings: [String]) {
        let report = Self.report(
            ["a.weight": .init(sums: [1], counts: [1])], chunks: chunks,
            text: .init(distinctTokens: distinct, vocabulary: 32_000))
        #expect(report.warnings.count == warnings.count)
        for (found, expected) in zip(report.warnings, warnings) { #expect(found.hasPrefix(expected)) }
    }
}
