import Foundation
import QuernFormats
import QuernStore
import TestSupport
import Testing

/// Gram matrices as users ask for them, on the sample checkpoint and its text.
@Suite(.serialized) struct GramTests {
    private func compute(_ folder: TemporaryFolder, _ name: String, _ more: [String]) async throws -> [UInt8] {
        let outcome = try await QuernProcess.run(
            [
                "imatrix", "compute", Fixtures.sample, "--text", CalibrationTests.text, "--chunks", "20", "--quiet",
                "--output", folder.path("\(name).gguf"), "--statistics", folder.path(name), "--gram",
            ] + more)
        try #require(outcome.status == 0, "\(outcome.errors)")
        return Array(try #require(FileManager.default.contents(atPath: folder.path(name))))
    }

    /// The values of a tensor, in double precision.
    private func values(_ name: String, in bytes: [UInt8]) throws -> [Double] {
        let header = try SafetensorsHeader.read(from: MemoryByteSource(bytes, name: "statistics"))
        let tensor = try #require(header.tensors.first { $0.name == name })
        let start = Int(tensor.offset)
        return bytes.withUnsafeBytes { bytes in
            switch tensor.type {
            case .f32:
                stride(from: start, to: start + Int(tensor.length), by: 4).map {
                    Double(Float(bitPattern: bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self).littleEndian))
                }
            default:
                stride(from: start, to: start + Int(tensor.length), by: 8).map {
                    Double(bitPattern: bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self).littleEndian)
                }
            }
        }
    }

    @Test func oneWorkerAndThreeGiveTheSameBytes() async throws {
        let folder = try TemporaryFolder()
        let one = try await compute(folder, "one.safetensors", ["--workers", "1"])
        let three = try await compute(folder, "three.safetensors", ["--workers", "3"])
        #expect(Digest(of: one) == Digest(of: three))
        for (name, channels) in [("blk.0.attn_q.weight", 256), ("blk.3.ffn_down.weight", 768)] {
            let gram = try values("\(name).gram", in: one)
            let triangle = channels * (channels + 1) / 2
            #expect(gram.count == triangle)
            var place = 0
            for (channel, square) in try values("\(name).sum_squares", in: one).enumerated() {
                #expect(abs(gram[place] - square) <= 1e-5 * square)
                place += channels - channel
            }
            // No product is larger than those of its diagonal.
            let largest = try #require(gram.max())
            #expect(gram.allSatisfy { abs($0) <= largest })
        }
        let shown = try await QuernProcess.run(["imatrix", "show", folder.path("one.safetensors")])
        #expect(shown.output.contains("28 tensors, 20 chunks"))
        #expect(shown.output.contains("Gram matrices of 16 inputs, all in full: 6.30 MB"), "\(shown.output)")
    }

    @Test func blocksAndBudgets() async throws {
        let folder = try TemporaryFolder()
        let whole = try await compute(folder, "whole.safetensors", [])
        let blocks = try await compute(folder, "blocks.safetensors", ["--gram-block", "256"])
        let name = "blk.1.ffn_down.weight"
        let (full, parts) = (try values("\(name).gram", in: whole), try values("\(name).gram", in: blocks))
        #expect(parts.count == 98_688)
        // The first row of the first block is the beginning of the first row.
        for (part, value) in zip(parts, full.prefix(256)) { #expect(abs(part - value) <= 1e-5 * full[0]) }
        #expect(try values("\(name).sum_squares", in: blocks) == values("\(name).sum_squares", in: whole))
        _ = try await compute(folder, "narrow.safetensors", ["--gram-budget", "1MB"])
        let shown = try await QuernProcess.run(["imatrix", "show", folder.path("narrow.safetensors"), "--json"])
        let gram = try JSONValue.parse(Array(shown.output.utf8)).object?["gram"]?.object
        #expect(gram?["widest_block"]?.integer == 64 && gram?["bytes"]?.integer == 798_720)
    }

    @Test(arguments: [
        (["--gram"], 2, "--statistics FILE"), (["--gram-block", "5"], 2, "--gram"),
        (["--statistics", "s", "--gram", "--gram-block", "0"], 2, "max_block"),
        (["--statistics", "s", "--gram", "--gram-budget", "1"], 2, "not even their diagonals"),
        (["--statistics", "s", "--gram", "--gram-budget", "many"], 2, "no amount of bytes"),
    ])
    func impossibleRequestsAreRefused(options: [String], status: Int32, message: String) async throws {
        let folder = try TemporaryFolder()
        let outcome = try await QuernProcess.run(
            [
                "imatrix", "compute", Fixtures.sample, "--text", CalibrationTests.text, "--output",
                folder.path("i.gguf"),
            ] + options)
        #expect(outcome.status == status && outcome.errors.contains(message), "\(outcome.errors)")
    }
}
