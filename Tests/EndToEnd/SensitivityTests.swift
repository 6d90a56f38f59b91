import Foundation
import QuernFormats
import QuernJobs
import QuernStore
import TestSupport
import Testing

/// Types chosen for a size by what was measured, as users do it, on the sample checkpoint.
@Suite(.serialized) struct SensitivityTests {
    private static let text = Fixtures.sample + "/calibration.txt"

    private func run(_ arguments: [String]) async throws -> QuernProcess.Outcome {
        let outcome = try await QuernProcess.run(arguments)
        try #require(outcome.status == 0, "\(outcome.errors)")
        return outcome
    }

    private func measure(
        _ folder: TemporaryFolder, _ name: String, workers: Int, _ more: [String] = []
    ) async throws -> SensitivityFile {
        _ = try await run(
            [
                "sensitivity", Fixtures.sample, "--text", Self.text, "--chunks", "20", "--measured-chunks", "2",
                "--quiet",
                "--output", folder.path(name), "--workers", "\(workers)",
            ] + more)
        return try SensitivityFile.read(path: folder.path(name))
    }

    /// Makes `again` by the recipe that the manifest in `out` names, which needs no measurement.
    private func repeatFromManifest(_ folder: TemporaryFolder) async throws {
        let manifest = try Manifest.parse(
            [UInt8](try #require(FileManager.default.contents(atPath: folder.path("out/manifest.json")))))
        var recipe = manifest.recipe
        recipe.source = Fixtures.sample
        recipe.calibration?.text = Self.text
        recipe.evaluation = nil
        #expect(recipe.sensitivity == nil)
        try recipe.yaml().write(toFile: folder.path("recipe.yaml"), atomically: true, encoding: .utf8)
        _ = try await run([
            "quantize", "--recipe", folder.path("recipe.yaml"), "--output", folder.path("again"), "--quiet",
        ])
    }

    @Test func predictsWhatAnArtifactDivergesBy() async throws {
        let folder = try TemporaryFolder()
        let file = try await measure(folder, "s.json", workers: 1)
        #expect(file.tensors.count == 30 && file.chunks == 2 && file.encoder == EncoderVersion.refined)
        for tensor in file.tensors {
            #expect(tensor.divergence > 0)
            #expect(tensor.types.first { $0.type == tensor.probe }?.divergence == tensor.divergence)
            let (low, high) = (tensor.types.first?.divergence ?? 0, tensor.types.last?.divergence ?? 1)
            #expect(high < low / 20)
        }
        #expect(try await measure(folder, "again.json", workers: 3) == file)

        // Layers that are not measured are inferred from those around them.
        let fewer = try await measure(folder, "fewer.json", workers: 2, ["--measured-layers", "3"])
        for (inferred, measured) in zip(fewer.tensors, file.tensors) {
            let isInner = measured.tensor.hasPrefix("blk.2.")
            #expect(inferred.tensor == measured.tensor && inferred.isInferred == (isInner ? true : nil))
            guard isInner else {
                #expect(inferred == measured)
                continue
            }
            let ratio = inferred.divergence / measured.divergence
            #expect(ratio > 0.1 && ratio < 10, "\(measured.tensor) \(ratio)")
            for (one, other) in zip(inferred.types, measured.types) {
                #expect(one.type == other.type && abs(one.divergence / other.divergence / ratio - 1) < 1e-6)
            }
        }

        let target = ["--to", "Q3_K_M:dynamic", "--calibration", Self.text, "--calibration-chunks", "20"]
        let given = ["--sensitivity", folder.path("s.json")]
        let planned = try await run(["plan", Fixtures.sample, "--json"] + target + given)
        let report = try JSONDecoder().decode(PlannedTargets.self, from: Data(planned.output.utf8))
        let expected = try #require(report.targets.first?.divergence)
        let made = try await run(
            [
                "quantize", Fixtures.sample, "--output", folder.path("out"), "--json", "--evaluation",
                Fixtures.sample + "/evaluation.txt", "--evaluation-chunks", "6",
            ] + target + given)
        #expect(made.output.contains("Q3_K_M-dynamic"))
        let results = try JobResults.parse(
            [UInt8](try #require(FileManager.default.contents(atPath: folder.path("out/report.json")))))
        let divergence = try #require(results.evaluation?.candidates.first?.divergence.mean.value)
        #expect(divergence > expected / 2 && divergence < expected * 2)
        // llama.cpp's own Q3_K_M of the same size comes to .02.
        #expect(divergence < 0.006)

        // One job that measures and makes comes to the same.
        let once = """
            source: \(Fixtures.sample)
            calibration: { text: \(Self.text), chunks: 20 }
            measurement: { chunks: 2 }
            targets: [{ gguf: "Q3_K_M:dynamic" }]
            """
        try once.write(toFile: folder.path("once.yaml"), atomically: true, encoding: .utf8)
        _ = try await run([
            "quantize", "--recipe", folder.path("once.yaml"), "--output", folder.path("once"), "--quiet",
        ])
        #expect(try SensitivityFile.read(path: folder.path("once/sensitivity.json")) == file)
        let dynamic = "tiny-llama-Q3_K_M-dynamic.gguf"
        #expect(try FolderDigests.of(folder.path("out"))[dynamic] == FolderDigests.of(folder.path("once"))[dynamic])

        // The report shows what was expected beside what was found, and is the same when it is made again.
        let choice = try #require(results.choice)
        #expect(choice.targets.map(\.divergence) == [expected] && choice.probes.count == 30)
        let page = try String(contentsOfFile: folder.path("out/report.html"), encoding: .utf8)
        #expect(page.contains("artifacts, found") && page.contains("Where bits count most"))
        _ = try await run(["report", folder.path("out")])
        #expect(try String(contentsOfFile: folder.path("out/report.html"), encoding: .utf8) == page)

        // The recipe that the manifest names makes the same file.
        try await repeatFromManifest(folder)
        #expect(try FolderDigests.of(folder.path("out"))[dynamic] == FolderDigests.of(folder.path("again"))[dynamic])
    }

    /// A measurement as a page, and as figures.
    @Test func showsWhatItMeasured() async throws {
        let folder = try TemporaryFolder()
        let measured = try await run([
            "sensitivity", Fixtures.sample, "--text", Self.text, "--chunks", "8", "--measured-chunks", "1", "--json",
            "--output", folder.path("s.json"),
        ])
        let reported = try await run([
            "report", folder.path("s.json"), "--source", Fixtures.sample, "--to", "bpw:4.5,Q4_K_M:dynamic", "--json",
        ])
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let figures = try [measured, reported].map { outcome in
            let line = try #require(outcome.output.split(separator: "\n").last)
            return try decoder.decode(Reported.self, from: Data(line.utf8))
        }
        #expect(figures[0].tradeOffs == figures[1].tradeOffs && figures[0].tradeOffs.curve.count > 20)
        let preset = try #require(figures[1].tradeOffs.presets.first { $0.name == "Q4_K_M" })
        let targets = try #require(figures[1].targets)
        #expect(targets.map(\.name) == ["4.5bpw", "Q4_K_M-dynamic"])
        #expect(targets[0].bitsPerWeight <= 4.5 && targets[0].bitsPerWeight > 4.45)
        #expect(targets[1].bytes <= preset.bytes && targets[1].divergence < preset.divergence)
        #expect(figures[1].output == folder.path("s.html"))
        let page = try String(contentsOfFile: folder.path("s.html"), encoding: .utf8)
        #expect(page.contains("Types of 4.5bpw by kind of tensor and layer") && page.contains(">IQ4_XS</text>"))

        for (arguments, message) in [
            ([folder.path("s.json")], "Name the model that was measured"),
            ([folder.path("s.json"), "--source", Fixtures.sample, "--to", "Q4_K_M"], "no types are chosen"),
            ([folder.path, "--source", Fixtures.sample], "are for files that quern sensitivity wrote"),
        ] {
            let outcome = try await QuernProcess.run(["report"] + arguments)
            #expect(outcome.status == 2 && outcome.errors.contains(message), "\(outcome.errors)")
        }
    }

    private struct Reported: Decodable {
        let output: String
        let tradeOffs: TradeOffs
        let targets: [TradeOffs.Point]?
    }

    @Test func choosesSchemesOfLayers() async throws {
        let folder = try TemporaryFolder()
        _ = try await measure(folder, "s.json", workers: 2)
        let target = ["--to", "W4A16_GPTQ:bpw:8.5", "--calibration", Self.text, "--calibration-chunks", "20"]
        let given = ["--sensitivity", folder.path("s.json")]
        let planned = try await run(["plan", Fixtures.sample, "--json"] + target + given)
        let report = try JSONDecoder().decode(PlannedTargets.self, from: Data(planned.output.utf8))
        let tensors = try #require(report.targets.first?.tensors)
        #expect(Set(tensors.compactMap(\.scheme)).isSuperset(of: ["W4A16", "W8A16"]))
        let expected = try #require(report.targets.first?.divergence)
        _ = try await run(
            [
                "quantize", Fixtures.sample, "--output", folder.path("out"), "--quiet", "--evaluation",
                Fixtures.sample + "/evaluation.txt", "--evaluation-chunks", "6",
            ] + target + given)
        let results = try JobResults.parse(
            [UInt8](try #require(FileManager.default.contents(atPath: folder.path("out/report.json")))))
        let divergence = try #require(results.evaluation?.candidates.first?.divergence.mean.value)
        #expect(divergence > expected / 2 && divergence < expected * 2)
        // All layers in W4A16_GPTQ come to .0015.
        #expect(divergence < 0.0008)
        _ = try await run(["verify", folder.path("out")])

        try await repeatFromManifest(folder)
        func made(_ output: String) throws -> [String: String] {
            try FolderDigests.of(folder.path(output)).filter { $0.key.hasPrefix("tiny-llama-W4A16-8.5bpw/") }
        }
        #expect(try made("out").count > 4 && made("out") == made("again"))
    }

    private struct PlannedTargets: Decodable {
        struct Target: Decodable {
            let divergence: Double?
            let tensors: [Tensor]
        }
        struct Tensor: Decodable { let scheme: String? }
        let targets: [Target]
    }
}
