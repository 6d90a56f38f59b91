import Foundation
import QuernFormats
import QuernStore
import TestSupport
import Testing

/// Experts that a checkpoint keeps in one tensor become what the same weights become that are stored one by one.
@Suite struct FusedExpertTests {
    private enum Layout: CaseIterable {
        case single, fused, transposed
    }
    private static let (experts, inner, hidden) = (3, 96, 64)

    /// A block of experts with a router, and an attention layer: the same weights in any layout.
    private static func checkpoint(_ layout: Layout, model: String = "some_moe", block: String = "mlp") throws
        -> TemporaryFolder
    {
        var random = SeededGenerator(seed: 7)
        func matrix(_ rows: Int, _ columns: Int) -> [[UInt16]] {
            (0..<rows).map { _ in
                (0..<columns).map { _ in
                    UInt16.random(in: 0x3C00..<0x3F00, using: &random) | (Bool.random(using: &random) ? 0x8000 : 0)
                }
            }
        }
        let gates = (0..<experts).map { _ in matrix(inner, hidden) }
        let ups = (0..<experts).map { _ in matrix(inner, hidden) }
        let downs = (0..<experts).map { _ in matrix(hidden, inner) }
        var tensors: [(name: String, shape: [Int], values: [UInt16])] = [
            ("model.layers.0.self_attn.o_proj.weight", [hidden, hidden], matrix(hidden, hidden).flatMap { $0 }),
            ("model.layers.0.\(block).gate.weight", [experts, hidden], matrix(experts, hidden).flatMap { $0 }),
        ]
        let list = "model.layers.0.\(block).experts"
        let names = block == "mlp" ? ["gate_proj", "up_proj", "down_proj"] : ["w1", "w3", "w2"]
        func transposed(_ matrix: [[UInt16]]) -> [[UInt16]] {
            matrix[0].indices.map { column in matrix.map { $0[column] } }
        }
        switch layout {
        case .single:
            for (index, (gate, (up, down))) in zip(gates, zip(ups, downs)).enumerated() {
                for (name, matrix) in zip(names, [gate, up, down]) {
                    tensors.append(
                        ("\(list).\(index).\(name).weight", [matrix.count, matrix[0].count], matrix.flatMap { $0 }))
                }
            }
        case .fused:
            tensors.append(
                (
                    "\(list).gate_up_proj", [experts, 2 * inner, hidden],
                    zip(gates, ups).flatMap { ($0 + $1).flatMap { $0 } }
                ))
            tensors.append(("\(list).down_proj", [experts, hidden, inner], downs.flatMap { $0.flatMap { $0 } }))
        case .transposed:
            tensors.append(
                (
                    "\(list).gate_up_proj", [experts, hidden, 2 * inner],
                    zip(gates, ups).flatMap { transposed($0 + $1).flatMap { $0 } }
                ))
            tensors.append(
                ("\(list).down_proj", [experts, inner, hidden], downs.flatMap { transposed($0).flatMap { $0 } }))
        }
        let folder = try TemporaryFolder()
        let header = try SafetensorsWriter.header(
            tensors: tensors.map { SafetensorsTensorInfo(name: $0.name, type: .bf16, shape: $0.shape) })
        try folder.write(
            header + tensors.flatMap { $0.values.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] } },
            to: "model.safetensors")
        try folder.write(
            "{\"architectures\": [\"SomeMoe\"], \"model_type\": \"\(model)\", \"num_experts\": \(experts)}",
            to: "config.json")
        return folder
    }

    private static func quantize(_ source: TemporaryFolder, _ arguments: [String]) async throws -> (
        TemporaryFolder, String
    ) {
        let folder = try TemporaryFolder()
        let outcome = try await QuernProcess.run(
            ["quantize", source.path, "--output", folder.path, "--name", "m"] + arguments)
        try #require(outcome.status == 0, "\(outcome.errors)")
        #expect(try await QuernProcess.run(["verify", folder.path]).status == 0)
        return (folder, outcome.errors)
    }

    private static func digests(in folder: String) throws -> [String: String] {
        var digests: [String: String] = [:]
        for shard in try Checkpoint.open(path: folder).shards {
            for tensor in shard.header.tensors {
                let bytes = try shard.file.bytes(at: tensor.offset, count: Int(tensor.length))
                digests[tensor.name] = "\(tensor.type) \(tensor.shape) \(Digest(of: bytes).hex)"
            }
        }
        return digests
    }

    @Test(arguments: ["mlp", "block_sparse_moe"]) func everyLayoutGivesTheSameTensors(block: String) async throws {
        let schemes = ["W4A16_G32", "W4A16_CHANNEL", "FP8_BLOCK", "MXFP4"]
        var expected: [String: [String: String]] = [:]
        for layout in Layout.allCases {
            let source = try Self.checkpoint(layout, block: block)
            let (folder, errors) = try await Self.quantize(source, ["--to", schemes.joined(separator: ",")])
            #expect(errors.contains("layers of their own") == (layout != .single))
            for scheme in schemes {
                let found = try Self.digests(in: folder.path("m-\(scheme)"))
                #expect(found.count > 20 && found["model.layers.0.\(block).gate.weight"] != nil)
                #expect(found.keys.allSatisfy { !$0.contains("gate_up_proj") })
                if expected[scheme] == nil { expected[scheme] = found }
                #expect(found == expected[scheme], "\(layout) \(scheme)")
            }
        }
    }

    /// Experts that stay as they are stay in their tensor, and loaders are told not to look for others.
    @Test(arguments: [
        ("some_moe", ["--to", "W4A16"]), ("gpt_oss", ["--to", "W4A16_G32"]),
        ("some_moe", ["--to", "W4A16_G32", "--layer-scheme", "re:.*experts=none"]),
    ]) func keptExpertsStayTogether(model: String, arguments: [String]) async throws {
        let source = try Self.checkpoint(.transposed, model: model)
        let (folder, errors) = try await Self.quantize(
            source, arguments + ["--layer-scheme", "re:.*o_proj=W8A8"])
        let entries = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let artifact = folder.path(try #require(entries.first { $0.hasPrefix("m-") }))
        let found = try Self.digests(in: artifact)
        let original = try Self.digests(in: source.path)
        for name in ["gate_up_proj", "down_proj"] {
            let name = "model.layers.0.mlp.experts.\(name)"
            #expect(found[name] != nil && found[name] == original[name])
        }
        #expect(found["model.layers.0.self_attn.o_proj.weight_scale"] != nil)
        #expect(errors.contains("kept as they are") == !arguments.contains { $0.hasSuffix("=none") }, "\(errors)")
        let ignored = try Checkpoint.open(path: artifact).config["quantization_config"]?.object?["ignore"]?.array
        #expect(ignored?.compactMap(\.string).contains(#"re:(.*\.)?layers\.0\.mlp\.experts\.\d+\."#) == true)
    }
}
