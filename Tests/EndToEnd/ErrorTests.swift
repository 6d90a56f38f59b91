import Foundation
import TestSupport
import Testing

/// What users meet when something is wrong: one line that says what, where and what to do, an exit status that scripts
/// can use, and no file that looks finished.
@Suite struct ErrorTests {
    static let checkpoint = Fixtures.path("reference/qwen3/checkpoint")

    /// Runs `quern quantize` and expects it to fail.
    /// - Parameter words: what the message must contain.
    private func refuse(
        _ arguments: [String], status: Int32, _ words: [String], at location: SourceLocation = #_sourceLocation
    ) async throws {
        let folder = try TemporaryFolder()
        let output = folder.path("out")
        let outcome = try await QuernProcess.run(["quantize", "--output", output, "--quiet"] + arguments)
        expectFailure(outcome, status: status, words, at: location)
        let left = FileManager.default.enumerator(atPath: output)?.compactMap { $0 as? String } ?? []
        #expect(!left.contains { $0.hasSuffix(".gguf") || $0.hasSuffix("manifest.json") }, sourceLocation: location)
    }

    private func expectFailure(
        _ outcome: QuernProcess.Outcome, status: Int32, _ words: [String],
        at location: SourceLocation = #_sourceLocation
    ) {
        #expect(outcome.status == status, "\(outcome.errors)", sourceLocation: location)
        #expect(outcome.output.isEmpty, sourceLocation: location)
        let lines = outcome.errors.split(separator: "\n")
        #expect(
            lines.count == 1 && outcome.errors.hasPrefix("quern: error: "), "\(outcome.errors)",
            sourceLocation: location)
        for word in words {
            #expect(outcome.errors.contains(word), "\(word) in: \(outcome.errors)", sourceLocation: location)
        }
    }

    enum Damage: CaseIterable {
        case truncatedData, truncatedHeader, emptyShard, hugeHeader, overlap, passwordFile, missingShard, notANumber
        case configuration, unknownClass, vocabularySize, tokenID, tokenTwice, tokenizerKind, noTokenizer

        /// Breaks the checkpoint.
        /// - Returns: what the message must contain.
        func apply(to source: BrokenSource) throws -> [String] {
            let shard = BrokenSource.shard
            switch self {
            case .truncatedData:
                try source.write(source.bytes(shard).prefix(300_000), to: shard)
                return [shard, "tensor 'model.layers.0.mlp.gate_proj.weight'", "beyond the file", "truncated"]
            case .truncatedHeader:
                try source.write(source.bytes(shard).prefix(100), to: shard)
                return [shard, "a header of", "in a file of 100", "truncated"]
            case .emptyShard:
                try source.write([], to: shard)
                return [shard, "0 bytes", "truncated"]
            case .hugeHeader:
                try source.write(littleEndian(UInt64(1) << 63) + source.bytes(shard).dropFirst(8), to: shard)
                return [shard, "9223372036854775808", "no safetensors file"]
            case .overlap:
                try source.changeHeader { header in
                    let name = "model.layers.0.mlp.gate_proj.weight"
                    var entry = try #require(header[name] as? [String: Any])
                    entry["data_offsets"] = try #require(entry["data_offsets"] as? [Int]).map { $0 - 2 }
                    header[name] = entry
                }
                return [shard, "gate_proj.weight'", "overlap", "damaged"]
            case .passwordFile:
                try source.replace(shard, with: "../../etc/passwd", in: "model.safetensors.index.json")
                return [source.path, "'../../etc/passwd' is not a plain name"]
            case .missingShard:
                try FileManager.default.removeItem(atPath: "\(source.path)/\(shard)")
                return [shard, "not there", "incomplete"]
            case .notANumber:
                var bytes = try source.bytes(shard)
                let place = try source.offset(of: "model.layers.0.mlp.gate_proj.weight") + 200
                bytes.replaceSubrange(place..<(place + 2), with: [0xC0, 0x7F])
                try source.write(bytes, to: shard)
                return ["blk.0.ffn_gate.weight", "nan at row 0, column 100", "damaged"]
            case .configuration:
                try source.write("{\"architectures\": [".utf8, to: "config.json")
                return ["config.json", "line 1"]
            case .unknownClass:
                try source.replace("Qwen3ForCausalLM", with: "FooForCausalLM", in: "config.json")
                return ["config.json", "'FooForCausalLM' is unknown", "Qwen3ForCausalLM"]
            case .vocabularySize:
                try source.replace("\"vocab_size\": 512", with: "\"vocab_size\": 504", in: "config.json")
                return ["model.embed_tokens.weight", "[512, 256]", "[504, 256]"]
            case .tokenID:
                try changeVocabulary(of: source) { $0["a"] = 1_000_000 }
                return ["tokenizer.json", "'a'", "1000000", "512"]
            case .tokenTwice:
                try changeVocabulary(of: source) { $0["a"] = $0["b"] }
                return ["tokenizer.json", "'a'", "'b'", "both have the id"]
            case .tokenizerKind:
                try source.replace("\"BPE\"", with: "\"WordPiece\"", in: "tokenizer.json")
                return ["tokenizer.json", "'WordPiece'"]
            case .noTokenizer:
                try FileManager.default.removeItem(atPath: "\(source.path)/tokenizer.json")
                return [source.path, "neither tokenizer.json nor tokenizer.model"]
            }
        }

        private func changeVocabulary(of source: BrokenSource, _ change: (inout [String: Any]) -> Void) throws {
            let text = Data(try source.bytes("tokenizer.json"))
            var file = try #require(try JSONSerialization.jsonObject(with: text) as? [String: Any])
            var model = try #require(file["model"] as? [String: Any])
            var vocabulary = try #require(model["vocab"] as? [String: Any])
            change(&vocabulary)
            model["vocab"] = vocabulary
            file["model"] = model
            try source.write(JSONSerialization.data(withJSONObject: file), to: "tokenizer.json")
        }
    }

    @Test(arguments: Damage.allCases)
    func damagedCheckpoint(damage: Damage) async throws {
        let source = try BrokenSource()
        let words = try damage.apply(to: source)
        try await refuse([source.path, "--to", "Q8_0"], status: 1, words)
    }

    static let headers: [(name: String, bytes: [UInt8], words: [String])] = [
        (
            "tensors",
            [UInt8]("GGUF".utf8) + littleEndian(UInt32(3)) + littleEndian(UInt64(1) << 60)
                + [UInt8](repeating: 0, count: 72), ["1152921504606846976 tensors", "damaged"]
        ),
        (
            "keys",
            [UInt8]("GGUF".utf8) + littleEndian(UInt32(3)) + littleEndian(UInt64(0)) + littleEndian(UInt64(1) << 60)
                + [UInt8](repeating: 0, count: 64), ["1152921504606846976 key-values", "damaged"]
        ),
        ("other", [UInt8]("hello world, and more of it".utf8), ["not a GGUF file"]),
        ("future", [UInt8]("GGUF".utf8) + littleEndian(UInt32(9)) + [UInt8](repeating: 0, count: 72), ["version 9"]),
    ]

    @Test(arguments: headers)
    func damagedGGUF(name: String, bytes: [UInt8], words: [String]) async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(bytes, to: "\(name).gguf")
        try await refuse([path, "--to", "Q8_0"], status: 1, [path] + words)
    }

    /// The kind of a token's entry in a vocabulary: the array holds I32.
    @Test func wrongTokenTypesForTheVocabulary() async throws {
        let folder = try TemporaryFolder()
        var bytes = try Fixtures.bytes("reference/mixtral/source.gguf")
        let key = [UInt8]("tokenizer.ggml.token_type".utf8)
        let start = try #require(bytes.firstRange(of: key)?.upperBound)
        bytes.replaceSubrange((start + 4)..<(start + 8), with: littleEndian(UInt32(6)))
        let path = try folder.write(bytes, to: "model.gguf")
        try await refuse(
            [path, "--to", "Q8_0"], status: 1, [path, "'tokenizer.ggml.token_type'", "wrong element type"])
        try await refuse(
            [try folder.write(bytes.prefix(1_000_000), to: "short.gguf"), "--to", "Q8_0"], status: 1, ["short.gguf"])
    }

    @Test(arguments: ["../../model", "../here/../../model", "model", "./model/."])
    func pathsBeginInTheWorkingFolder(_ source: String) async throws {
        let folder = try TemporaryFolder()
        try folder.write("", to: "work/here/empty")
        try folder.link("model", to: Self.checkpoint)
        try folder.link("work/here/model", to: Self.checkpoint)
        let outcome = try await QuernProcess.run(
            ["plan", source, "--to", "Q8_0"], workingFolder: folder.path("work/here"))
        #expect(outcome.status == 0 && outcome.output.contains("Q8_0"), "\(outcome.errors)")
    }

    @Test func missingSource() async throws {
        try await refuse(["/nowhere/model.gguf", "--to", "Q8_0"], status: 1, ["/nowhere/model.gguf", "no such file"])
    }

    static let calls: [(arguments: [String], status: Int32, words: [String])] = [
        (["--to", "Q4_KM"], 2, ["unknown preset 'Q4_KM'", "Q4_K_M"]),
        (
            ["--to", "IQ2_XS"], 1,
            ["IQ2_XS", "useless without an importance matrix", "blk.0.attn_k.weight"]
        ),
        (["--to", ","], 2, ["no targets"]),
        (["--to", "Q8_0,Q8_0"], 2, ["Q8_0 is there twice"]),
        (["--to", "Q4_K_M", "--tensor-type", "attn_(v=q8_0"], 2, ["'attn_(v'", "regular expression"]),
        (["--to", "Q4_K_M", "--tensor-type", "attn_v=q9"], 2, ["--tensor-type", "'q9'", "Q8_0"]),
        (["--to", "Q4_K_M", "--tensor-type", "attn_v"], 2, ["REGEX=TYPE"]),
        (["--to", "Q8_0", "--split-max-size", "abc"], 2, ["'abc'", "5GB"]),
        (["--to", "Q8_0", "--memory", "1kB"], 2, ["--memory", "at least"]),
        (["--to", "Q8_0", "--workers", "0"], 2, ["--workers", "at least 1"]),
        (["--to", "Q8_0", "--name", "../x"], 2, ["'../x'", "name"]),
        (["--to", "Q4_K_M", "--imatrix", "/nowhere/imatrix.gguf"], 1, ["/nowhere/imatrix.gguf", "No such file"]),
        (
            ["--to", "Q4_K_M", "--imatrix", Fixtures.path("reference/llama/imatrix.gguf")], 1,
            ["the importance matrix has 256 values", "blk.0.attn_output.weight"]
        ),
    ]

    @Test(arguments: calls)
    func wrongCalls(arguments: [String], status: Int32, words: [String]) async throws {
        try await refuse([Self.checkpoint] + arguments, status: status, words)
    }

    static let recipes: [(text: String, words: [String])] = [
        ("source: ./x\ncolour: red\ntargets:\n  - gguf: Q8_0\n", ["recipe.yaml:2", "unknown key 'colour'", "targets"]),
        ("source: [\n", ["recipe.yaml", "not valid YAML"]),
        ("source: ./x\n", ["recipe.yaml", "targets"]),
    ]

    @Test(arguments: recipes)
    func wrongRecipes(text: String, words: [String]) async throws {
        let folder = try TemporaryFolder()
        try await refuse(["--recipe", try folder.write(text, to: "recipe.yaml")], status: 2, words)
    }

    @Test func wrongFlag() async throws {
        let outcome = try await QuernProcess.run(["plan", Self.checkpoint, "--to", "Q8_0", "--bogus"])
        #expect(outcome.status == 2 && outcome.output.isEmpty && outcome.errors.contains("--bogus"))
    }

    /// A refused job leaves nothing at all, and nothing of an earlier one is touched.
    @Test func refusedJobLeavesNoFolder() async throws {
        let folder = try TemporaryFolder()
        let arguments = ["quantize", Self.checkpoint, "--output", folder.path("a/b"), "--quiet", "--to"]
        #expect(try await QuernProcess.run(arguments + ["IQ2_XS"]).status == 1)
        #expect(!FileManager.default.fileExists(atPath: folder.path("a")))
        try folder.write("mine", to: "a/b/notes.txt")
        #expect(try await QuernProcess.run(arguments + ["IQ2_XS"]).status == 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("a/b")) == ["notes.txt"])
    }
}
