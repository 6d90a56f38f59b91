import Foundation
import QuernFormats
import QuernStore
import TestSupport
import Testing

/// Calibration as users run it, on the sample checkpoint and its text.
@Suite(.serialized) struct CalibrationTests {
    static let text = Fixtures.sample + "/calibration.txt"
    /// Few chunks, of few tokens: several groups in seconds.
    static let chunks = ["--chunk-tokens", "512", "--calibration-chunks", "20"]
    static let targets = "Q4_K_M,IQ2_M"

    private func run(_ arguments: [String]) async throws -> QuernProcess.Outcome {
        let outcome = try await QuernProcess.run(arguments)
        try #require(outcome.status == 0, "\(outcome.errors)")
        return outcome
    }

    private func compute(_ folder: TemporaryFolder, _ name: String, _ more: [String] = []) async throws -> String {
        _ = try await run(
            [
                "imatrix", "compute", Fixtures.sample, "--text", Self.text, "--chunks", "20", "--quiet", "--output",
                folder.path(name),
            ] + more)
        return folder.path(name)
    }

    @Test func computedFilesHoldTheSumsOfTheText() async throws {
        let folder = try TemporaryFolder()
        let path = try await compute(
            folder, "tiny-llama.imatrix.gguf", ["--statistics", folder.path("s.safetensors"), "--workers", "1"])
        let file = try ImatrixFile.read(path: path)
        #expect(file.chunkCount == 20 && file.chunkTokens == 512 && file.datasets == ["calibration.txt"])
        #expect(file.entries.count == 28)
        #expect(file.entries.values.allSatisfy { $0.counts == [20 * 512] })
        // Tensors that read one input have the same sums, and the text is long enough for all to be above zero.
        #expect(file.entries["blk.2.attn_q.weight"] == file.entries["blk.2.attn_v.weight"])
        #expect(file.entries.values.allSatisfy { $0.sums.allSatisfy { $0 > 0 } })
        let statistics = try SafetensorsHeader.read(from: FileByteSource(path: folder.path("s.safetensors")))
        #expect(statistics.tensors.count == 4 * 16)
        // The state is gone, and a different number of workers gives the same bytes.
        #expect(!FileManager.default.fileExists(atPath: path + ".quern"))
        let again = try await compute(
            folder, "again.gguf", ["--statistics", folder.path("again.safetensors"), "--workers", "3"])
        #expect(FileManager.default.contents(atPath: path) == FileManager.default.contents(atPath: again))
        #expect(
            FileManager.default.contents(atPath: folder.path("s.safetensors"))
                == FileManager.default.contents(atPath: folder.path("again.safetensors")))
    }

    @Test func quantizingWithTextEqualsQuantizingWithItsImportanceMatrix() async throws {
        let folder = try TemporaryFolder()
        let imatrix = try await compute(folder, "tiny-llama.imatrix.gguf")
        _ = try await run(
            [
                "quantize", Fixtures.sample, "--to", Self.targets, "--output", folder.path("text"), "--quiet",
                "--calibration", Self.text, "--encoder", "reference",
            ] + Self.chunks)
        _ = try await run([
            "quantize", Fixtures.sample, "--to", Self.targets, "--output", folder.path("file"), "--quiet", "--imatrix",
            imatrix,
        ])
        let (text, file) = (try FolderDigests.of(folder.path("text")), try FolderDigests.of(folder.path("file")))
        for name in ["tiny-llama-Q4_K_M.gguf", "tiny-llama-IQ2_M.gguf"] { #expect(text[name] == file[name]) }
        // What is wrong with so little text is said where people look and where programs do.
        let again = try await run(
            [
                "quantize", Fixtures.sample, "--to", Self.targets, "--output", folder.path("text"), "--json",
                "--calibration", Self.text,
            ] + Self.chunks)
        #expect(again.errors.hasPrefix("quern: warning: little text: 10240 tokens"), "\(again.errors)")
        let last = try #require(again.output.split(separator: "\n").last)
        #expect(try JSONValue.parse(Array(last.utf8)).object?["warnings"]?.array?.count == 1)
        let page = try String(contentsOfFile: folder.path("text") + "/report.html", encoding: .utf8)
        #expect(page.contains("<h2>Warnings</h2>") && page.contains("little text: 10240 tokens"))
        let verified = try await QuernProcess.run(["verify", folder.path("text")])
        #expect(verified.status == 0, "\(verified.output)")
    }

    @Test func anInterruptedComputationGoesOn() async throws {
        let folder = try TemporaryFolder()
        let expected = try await compute(folder, "expected.gguf")
        let arguments = [
            "imatrix", "compute", Fixtures.sample, "--text", Self.text, "--chunks", "20", "--quiet", "--output",
            folder.path("killed.gguf"),
        ]
        for _ in 0..<3 {
            let process = try QuernProcess(arguments)
            try await Task.sleep(for: .milliseconds(Int.random(in: 30...400)))
            process.send(signal: SIGKILL)
            _ = await process.outcome()
        }
        _ = try await run(arguments)
        #expect(
            FileManager.default.contents(atPath: folder.path("killed.gguf"))
                == FileManager.default.contents(atPath: expected))
    }

    @Test func filesAreAddedAndShown() async throws {
        let folder = try TemporaryFolder()
        let path = try await compute(folder, "a.gguf")
        _ = try await run(["imatrix", "merge", path, path, "--output", folder.path("b.gguf")])
        let (one, two) = (try ImatrixFile.read(path: path), try ImatrixFile.read(path: folder.path("b.gguf")))
        #expect(two.chunkCount == 40)
        #expect(two.entries["blk.0.ffn_up.weight"]?.sums == one.entries["blk.0.ffn_up.weight"]?.sums.map { 2 * $0 })
        let shown = try await run(["imatrix", "show", path])
        #expect(shown.output.contains("ffn_down") && shown.output.contains("28 tensors, 20 chunks"))
        #expect(shown.errors.contains("little text"))
        let json = try await run(["imatrix", "show", path, "--json"])
        let report = try JSONValue.parse(Array(json.output.utf8))
        #expect(report.object?["tensors"]?.array?.count == 28)
    }

    @Test(arguments: [
        (["--calibration", "no-such-text"], "no-such-text"),
        (["--calibration-chunks", "3"], "no text to calibrate on"),
        (["--calibration", text, "--imatrix", Fixtures.path("imatrix/phi3.gguf")], "at once"),
        (["--calibration", text, "--chunk-tokens", "4"], "chunks have 16"),
        (["--calibration", text, "--chunk-tokens", "131072"], "two chunks of 131072"),
    ])
    func whatCannotBeCalibratedIsSaid(options: [String], message: String) async throws {
        let folder = try TemporaryFolder()
        let outcome = try await QuernProcess.run(
            ["quantize", Fixtures.sample, "--to", "Q4_K_M", "--output", folder.path("out")] + options)
        #expect(outcome.status == 1 || outcome.status == 2)
        #expect(outcome.errors.contains(message), "\(outcome.errors)")
    }

    /// Long enough to be planned, too short in tokens.
    @Test func textsOfTooFewTokensFailTheJob() async throws {
        let folder = try TemporaryFolder()
        let text = try folder.write(String(repeating: "the ", count: 300), to: "short.txt")
        let outcome = try await QuernProcess.run([
            "imatrix", "compute", Fixtures.sample, "--text", text, "--output", folder.path("i.gguf"),
        ])
        #expect(outcome.status == 1 && outcome.errors.contains("two chunks of 512 are needed"), "\(outcome.errors)")
    }
}
