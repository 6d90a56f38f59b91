import Foundation
import QuernFormats
import QuernJobs
import QuernStore
import QuernWorker
import TestSupport
import Testing

/// `report.html` as a page: sound, safe, complete, and the same every time.
@Suite struct ReportTests {
    @Test func saysWhatTheManifestSays() {
        let page = Report(manifest: Sample.manifest(), results: Sample.results()).html()
        expectSound(page)
        for text in [
            "<h1>model</h1>", "Q4_K_M, Q2_K", "tiny, 1.00 MB", "blk.1.ffn_down.weight", "256 × 64", "attn_q", "Q6_K",
            "model-Q4_K_M.gguf", "aria-label=\"Types of Q4_K_M by kind of tensor and layer\"",
            // Evaluation: an estimate with its error, a percentile, the layers.
            "73.0673 ± 1.2500", "0.005400 ± 0.000100", "93.620 ± 0.150 %", "99.9 %", "Error layer by layer",
            // Coverage: one of four experts was never reached.
            "<li>little text: 3 &lt;tokens&gt;</li>", "1 of 4 experts saw no token", "layer 1, expert 0: 0 tokens",
            // The key of types has their bytes: two matrices of 10 kB each.
            "Q4_K</span> 20.0 kB",
        ] {
            #expect(page.contains(text), "\(text)")
        }
    }

    @Test func leavesOutWhatWasNotMeasured() {
        let page = Report(manifest: Sample.manifest()).html()
        expectSound(page)
        for text in ["Warnings", "Evaluation", "Mean divergence", "Expert coverage", "Error layer by layer"] {
            #expect(!page.contains(text))
        }
    }

    @Test func isTheSameEveryTime() {
        let report = Report(manifest: Sample.manifest(), results: Sample.results())
        #expect(report.html() == Report(manifest: Sample.manifest(), results: Sample.results()).html())
    }

    @Test(arguments: [
        "<script>alert(1)</script>", "\"><img src=x>", "a & b", "it's", "\u{0}\u{1B}[31m", "模型 🙂", "blk.<b>.weight",
        "99999999999999999999999.weight", "......", "-1.weight",
    ])
    func escapesWhatComesFromFiles(text: String) {
        let results = Sample.results(candidate: text)
        let page = Report(manifest: Sample.manifest(named: text), results: results).html()
        expectSound(page)
        #expect(!page.contains("<script") && !page.contains("<img") && !page.contains("<b>"))
        #expect(!page.unicodeScalars.contains { $0.value < 32 && $0 != "\n" })
    }

    @Test(arguments: [0, 1, 130, 3000])
    func drawsAnyNumberOfLayers(count: Int) {
        let tensors = (0..<count).map { Sample.tensor("blk.\($0).ffn_up.weight", .q4_K, error: 0.1) }
        let page = Report(manifest: Sample.manifest(tensors: tensors)).html()
        expectSound(page)
        #expect(page.contains("All \(count) tensors"))
    }

    @Test(arguments: [0, .infinity, .nan, 1e-300, 1e300])
    func drawsAnyError(error: Double) {
        let tensors = [0, 1].map { Sample.tensor("blk.\($0).ffn_up.weight", .q4_K, error: $0 == 0 ? error : 0.1) }
        expectSound(Report(manifest: Sample.manifest(tensors: tensors)).html())
    }

    @Test func resultsSurviveTheirFile() throws {
        let results = Sample.results()
        #expect(try JobResults.parse(try results.json()) == results)
        #expect(throws: QuernError.self) { try JobResults.parse(Array("{}".utf8)) }
    }

    @Test func readsAFolder() throws {
        let folder = try TemporaryFolder()
        #expect(throws: QuernError.self) { try Manifest.read(folder: folder.path) }
        #expect(try JobResults.read(folder: folder.path).isEmpty)
        let artifacts = ArtifactFolder(root: folder.path)
        try artifacts.write(try Sample.manifest().json(), as: Manifest.fileName)
        try artifacts.write(try Sample.results().json(), as: JobResults.fileName)
        #expect(try Manifest.read(folder: folder.path) == Sample.manifest())
        #expect(try JobResults.read(folder: folder.path) == Sample.results())
    }
}

/// Every element that is opened is closed in its turn, and nothing is fetched from elsewhere.
func expectSound(_ page: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let void: Set<Substring> = ["meta", "!DOCTYPE"]
    var open: [Substring] = []
    var rest = page[...]
    while let start = rest.firstIndex(of: "<"), let end = rest[start...].firstIndex(of: ">") {
        let tag = rest[rest.index(after: start)..<end]
        rest = rest[rest.index(after: end)...]
        if tag.last == "/" { continue }
        let name = tag.prefix { !$0.isWhitespace && $0 != "/" || $0 == "!" }
        if tag.first == "/" {
            #expect(open.popLast() == tag.dropFirst(), sourceLocation: sourceLocation)
        } else if !void.contains(name) {
            open.append(name)
        }
    }
    #expect(open.isEmpty && page.hasPrefix("<!DOCTYPE html>"), sourceLocation: sourceLocation)
    for text in ["http:", "https:", " src=\"", "url(", "@import", "javascript:", "nan\"", "inf\""] {
        #expect(!page.contains(text), "\(text)", sourceLocation: sourceLocation)
    }
}

private enum Sample {
    static func tensor(_ name: String, _ type: ElementType, error: Double = 0) -> AssembledTensor {
        AssembledTensor(
            name: name, shape: [256, 64], type: .element(type), bytes: 10000, sha256: Digest(of: [1]), error: error)
    }

    static let tensors = [
        tensor("token_embd.weight", .q6_K, error: 0.01), tensor("blk.0.attn_q.weight", .q4_K, error: 0.07),
        tensor("blk.1.attn_q.weight", .q4_K, error: 0.06), tensor("blk.0.ffn_down.weight", .q6_K, error: 0.02),
        tensor("blk.1.ffn_down.weight", .q6_K, error: 0.02),
        AssembledTensor(
            name: "output_norm.weight", shape: [256], type: .element(.f32), bytes: 1024, sha256: Digest(of: [2]),
            error: 0),
    ]

    static func manifest(tensors: [AssembledTensor] = tensors) -> Manifest {
        manifest(named: "model", source: "tiny", tensors: tensors, targets: ["Q4_K_M", "Q2_K"])
    }

    static func manifest(named name: String) -> Manifest {
        manifest(
            named: name, source: name, tensors: tensors + [tensor(name, .q4_K), tensor("blk.0.\(name)", .q2_K)],
            targets: [name])
    }

    private static func manifest(
        named name: String, source: String, tensors: [AssembledTensor], targets: [String]
    ) -> Manifest {
        Manifest(
            encoder: "e", statistics: nil,
            recipe: Recipe(source: source, name: name, targets: targets.map { Recipe.Target(gguf: $0) }),
            sources: [Manifest.Source(name: source, size: 1_000_000, sha256: Digest(of: [3]))],
            artifacts: targets.map { target in
                let file = Manifest.File(
                    name: "\(name)-\(target).gguf", size: 60_000, sha256: Digest(of: [4]), tensors: tensors)
                return Manifest.Artifact(target: target, files: [file])
            })
    }

    static func results(candidate: String = "Q4_K_M") -> JobResults {
        func distribution(_ scale: Double) -> Distribution {
            Distribution(
                mean: Estimate(value: scale, error: 0.0001), minimum: 0, median: scale / 2, maximum: scale * 100,
                percentiles: [1, 99.9].map { Distribution.Percentile(percent: $0, value: scale * $0) })
        }
        let summary = CandidateSummary(
            name: candidate, perplexity: Estimate(value: 73.0673, error: 1.25),
            logRatio: Estimate(value: 0.004, error: 0.001), ratio: Estimate(value: 1.004, error: 0.001),
            difference: Estimate(value: 0.3, error: 0.1), correlation: 0.99, divergence: distribution(0.0054),
            probabilityChange: distribution(-0.01), rootMeanSquareChange: Estimate(value: 0.02, error: 0.001),
            sameTop: Estimate(value: 0.9362, error: 0.0015), layerErrors: [0.01, 0.02])
        return JobResults(
            evaluation: EvaluationSummary(
                chunks: 3, chunkTokens: 512, positions: 765, perplexity: Estimate(value: 72.8, error: 1.2),
                candidates: [summary]),
            coverage: [
                ExpertCoverage(layer: 0, tokens: [100, 20]), ExpertCoverage(layer: 1, tokens: [0, 120]),
            ], warnings: ["little text: 3 <tokens>"])
    }
}
