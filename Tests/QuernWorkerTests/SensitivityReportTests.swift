import QuernFormats
import QuernJobs
import QuernStore
import QuernWorker
import TestSupport
import Testing

/// What measurements look like: on pages of their own and in reports of jobs.
@Suite struct SensitivityReportTests {
    private static let tradeOffs = TradeOffs(
        curve: [
            .init(bytes: 200_000, bitsPerWeight: 2, divergence: 0.1),
            .init(bytes: 300_000, bitsPerWeight: 3, divergence: 0.01),
            .init(bytes: 800_000, bitsPerWeight: 8, divergence: 0.001),
        ],
        presets: [
            .init(name: "Q3_K_M", bytes: 400_000, bitsPerWeight: 4, divergence: 0.02),
            .init(name: "Q8_0", bytes: 850_000, bitsPerWeight: 8.5, divergence: 0.001),
        ])

    private static func costs(_ tensor: String, _ divergence: Double, _ probe: ElementType = .q3_K) -> TensorCosts {
        TensorCosts(
            tensor: tensor, probe: probe, divergence: divergence,
            types: [.init(type: probe, bytes: 1000, divergence: divergence)])
    }

    private static func file(
        _ tensors: [TensorCosts], source: String = "tiny", text: String = "text.txt"
    ) -> SensitivityFile {
        SensitivityFile(
            source: source, encoder: "e", text: text, chunkTokens: 512, chunks: 8, tensors: tensors)
    }

    private static let tensors = [
        costs("output.weight", 0.0002), costs("blk.0.attn_v.weight", 0.004), costs("blk.1.attn_v.weight", 0.0008),
        costs("blk.0.ffn_up.weight", 0), costs("blk.1.odd.weight", 0.001, .q4_0),
    ]

    private static func goal(_ name: String, tensor: String = "blk.0.attn_v.weight") -> SensitivityReport.Goal {
        SensitivityReport.Goal(
            .init(name: name, bytes: 300_000, bitsPerWeight: 3, divergence: 0.01), size: 310_000,
            tensors: [
                .init(name: tensor, type: .element(.iq3_xxs), bytes: 1000),
                .init(name: "blk.1.attn_v.weight", type: .element(.q6_K), bytes: 3000),
                .init(name: "output.weight", type: .element(.q8_0), bytes: 500),
            ])
    }

    @Test func saysWhatWasMeasured() {
        let page = SensitivityReport(
            Self.file(Self.tensors), tradeOffs: Self.tradeOffs, goals: [Self.goal("3bpw")]
        ).html()
        expectSound(page)
        for text in [
            "<h1>tiny</h1>", "text.txt, 8 chunks of 512 tokens",
            // Bits from 2 to 9 over 674 pixels, divergences over three decades of 364.
            "points=\"62.0,14.0 158.3,196.0 639.7,378.0\"",
            "<title>Q3_K_M, 4.00 bits per weight, 400 kB: 0.0200 nats, expected</title>",
            "<text class=\"mark c1\" x=\"166.3\" y=\"200.0\" text-anchor=\"start\">3bpw</text>",
            // Under a tick, the bytes of the model with so many bits.
            ">4</text>\n<text class=\"axis\" x=\"254.6\" y=\"410.0\" text-anchor=\"middle\">400 kB</text>",
            // A preset beside the largest choice of types that is no larger.
            "<th scope=\"row\">Q3_K_M</th><td>400 kB</td><td>4.00</td><td>0.0200</td><td>0.0100</td><td>-50 %</td>",
            "<td>0.00100</td><td>0.00100</td><td>0 %</td>",
            // Types: in the map, in its key with their bytes, and beside it.
            "aria-label=\"Types of 3bpw by kind of tensor and layer\"", ">IQ3_XXS</text>", "Q6_K</span> 3.00 kB",
            "Beside them: output.weight <span class=\"chip\"", "<td>310 kB</td>",
            // Costs: a map for each type, in thousandths.
            "Divergence with a single tensor in Q3_K, nats · 1e-3", "Divergence with a single tensor in Q4_0",
            ">4.00</text>", ">0.800</text>", "blk.0.attn_v.weight in Q3_K: 0.00400 nats",
            "<th scope=\"row\">blk.0.attn_v.weight</th><td>Q3_K</td><td>0.00400</td><td>66.7 %</td>",
        ] {
            #expect(page.contains(text), "\(text)")
        }
        let order = ["blk.0.attn_v", "blk.1.odd", "blk.1.attn_v", "output", "blk.0.ffn_up"].map {
            page.range(of: "<th scope=\"row\">\($0).weight</th><td>Q")?.lowerBound
        }
        #expect(order.allSatisfy { $0 != nil } && order.compactMap(\.self) == order.compactMap(\.self).sorted())
    }

    /// What differs by nothing from the source is not drawn, and nothing is no curve.
    @Test(arguments: [0, .infinity, .nan, 1e-300] as [Double])
    func drawsAnyCost(divergence: Double) {
        let point = TradeOffs.Point(bytes: 0, bitsPerWeight: 0, divergence: divergence)
        for tradeOffs in [TradeOffs(curve: [point], presets: [point]), TradeOffs(curve: [], presets: [])] {
            expectSound(SensitivityReport(Self.file([Self.costs("a", divergence)]), tradeOffs: tradeOffs).html())
        }
        expectSound(SensitivityReport(Self.file([]), tradeOffs: TradeOffs(curve: [], presets: [])).html())
    }

    @Test(arguments: [
        "<script>alert(1)</script>", "\"><img src=x>", "a & b", "it's", "\u{0}\u{1B}[31m", "模型 🙂", "blk.<b>.weight",
    ])
    func escapesWhatComesFromFiles(text: String) {
        let point = TradeOffs.Point(name: text, bytes: 1, bitsPerWeight: 4, divergence: 1)
        let page = SensitivityReport(
            Self.file([Self.costs(text, 1), Self.costs("blk.0.\(text)", 2)], source: text, text: text),
            tradeOffs: TradeOffs(curve: [point], presets: [point]), goals: [Self.goal(text, tensor: "blk.3.\(text)")]
        ).html()
        expectSound(page)
        #expect(!page.contains("<script") && !page.contains("<img") && !page.contains("<b>"))
        #expect(!page.unicodeScalars.contains { $0.value < 32 && $0 != "\n" })
    }

    /// Names of points lie over no other name; where there is no room they are left out.
    @Test func labelsHaveRoom() throws {
        let crowd = (0..<60).map {
            TradeOffs.Point(
                name: "P\($0)_LONG_NAME", bytes: UInt64($0), bitsPerWeight: 4 + Double($0) / 100, divergence: 0.01)
        }
        let page = SensitivityReport(
            Self.file(Self.tensors), tradeOffs: TradeOffs(curve: Self.tradeOffs.curve, presets: crowd)
        ).html()
        let mark = #/<text class="mark c7" x="([0-9.]+)" y="([0-9.]+)" text-anchor="(start|end)">([^<]*)</#
        let boxes = try page.matches(of: mark).map { match in
            let (x, y) = (try #require(Double(match.1)), try #require(Double(match.2)))
            let width = 6.6 * Double(match.4.count)
            return (x: match.3 == "start" ? x...x + width : x - width...x, y: y - 9...y + 2)
        }
        #expect(boxes.count >= 4 && boxes.count < 60)
        for (index, box) in boxes.enumerated() {
            for other in boxes.dropFirst(index + 1) {
                // As far as figures of one digit go.
                #expect(
                    !box.x.overlaps(other.x) || !box.y.overlaps(other.y)
                        || min(box.y.upperBound, other.y.upperBound) - max(box.y.lowerBound, other.y.lowerBound) < 0.2)
            }
        }
    }

    @Test func jobsShowWhatWasExpectedAndFound() throws {
        let tensor = AssembledTensor(
            name: "blk.0.attn_v.weight", shape: [1000, 800], type: .element(.q3_K), bytes: 300_000,
            sha256: Digest(of: [1]), error: 0.1)
        let manifest = Manifest(
            encoder: "e", statistics: nil, recipe: Recipe(source: "tiny", targets: [.init(gguf: "bpw:3")]),
            sources: [],
            artifacts: [
                .init(
                    target: "3bpw",
                    files: [.init(name: "f.gguf", size: 310_000, sha256: Digest(of: [2]), tensors: [tensor])])
            ])
        let choice = TypeChoice(
            tradeOffs: Self.tradeOffs,
            targets: [.init(name: "3bpw", bytes: 300_000, bitsPerWeight: 3, divergence: 0.01)],
            probes: Self.tensors.map(TypeChoice.Probe.init))
        let expected = Report(manifest: manifest, results: JobResults(choice: choice)).html()
        expectSound(expected)
        for text in [
            "artifacts, expected", "<td>0.0100</td><td>–</td>",
            "3bpw, 3.00 bits per weight, 300 kB: 0.0100 nats, expected",
            "Where bits count most",
        ] {
            #expect(expected.contains(text), "\(text)")
        }
        func estimate(_ value: Double) -> Estimate { Estimate(value: value, error: 0) }
        let distribution = Distribution(mean: estimate(0.012), minimum: 0, median: 0, maximum: 1, percentiles: [])
        let results = JobResults(
            evaluation: EvaluationSummary(
                chunks: 1, chunkTokens: 512, positions: 255, perplexity: estimate(9),
                candidates: [
                    CandidateSummary(
                        name: "3bpw", perplexity: estimate(9), logRatio: estimate(0), ratio: estimate(1),
                        difference: estimate(0), correlation: 1, divergence: distribution,
                        probabilityChange: distribution, rootMeanSquareChange: estimate(0), sameTop: estimate(1),
                        layerErrors: [])
                ]), choice: choice)
        let found = Report(manifest: manifest, results: results).html()
        expectSound(found)
        for text in [
            "artifacts, found", "<td>0.0100</td><td>0.0120</td>",
            "3bpw, 3.00 bits per weight, 300 kB: 0.0120 nats, found",
        ] {
            #expect(found.contains(text), "\(text)")
        }
        #expect(try JobResults.parse(results.json()) == results)
        #expect(!JobResults(choice: choice).isEmpty)
        #expect(!Report(manifest: manifest).html().contains("Types chosen by measurement"))
    }
}
