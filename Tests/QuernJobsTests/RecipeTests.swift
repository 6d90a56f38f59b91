import Foundation
import QuernFormats
import QuernJobs
import Testing

@Suite struct RecipeTests {
    private static let full = Recipe(
        source: "./Llama", name: "no",
        targets: [
            Recipe.Target(
                gguf: "Q4_K_M", pure: true,
                tensors: [.init(pattern: "attn_v", type: .q8_0), .init(pattern: #"blk\.[0-3]\."#, type: .f16)],
                outputTensorType: .q6_K, tokenEmbeddingType: .bf16, leaveOutputTensor: true),
            Recipe.Target(gguf: "Q4_0", method: .awq),
            Recipe.Target(
                compressedTensors: "W4A16", groupSize: 32, method: .awqGPTQ, ignore: ["lm_head", "re:.*gate"]),
            Recipe.Target(
                compressedTensors: "W8A8",
                layers: [.init(pattern: "re:.*down", scheme: "W4A16_G32"), .init(pattern: "a.b", scheme: "none")]),
        ],
        imatrix: "stats.gguf",
        calibration: .init(
            text: "~/text: 1.txt", chunkTokens: 128, chunks: 20, processOutput: true,
            gram: .init(maxBlock: 256, budget: 3_000_000)),
        encoder: .refined, measurement: .init(chunks: 5), sensitivity: "costs.json",
        evaluation: .init(text: "other.txt", chunkTokens: 64, chunks: 3), forward: .cuda,
        split: .init(maxBytes: 5_000_000_000, maxTensors: 12, keep: true), allowRequantize: true,
        includeWeights: ["ffn", "no"], excludeWeights: ["attn"], pruneLayers: [0, 7],
        overrides: [
            .init(key: "a.b", value: .int(7)), .init(key: "c", value: .float(0.1)),
            .init(key: "d", value: .bool(false)),
            .init(key: "e", value: .string("x=y:z")),
        ])

    @Test func sizesStandForPresets() throws {
        let recipe = try Recipe(yaml: "source: x\ntargets: [{size: 4.5GB}, {bpw: 4.25}, {gguf: 'Q4_K_M:dynamic'}]")
        #expect(recipe.targets.map(\.name) == ["size:4.5GB", "bpw:4.25", "Q4_K_M:dynamic"])
        let json = #"{"source": "x", "targets": [{"size": "4.5GB"}, {"bpw": 4.25}, {"gguf": "Q4_K_M:dynamic"}]}"#
        #expect(try JSONDecoder().decode(Recipe.self, from: Data(json.utf8)) == recipe)
        #expect(try Recipe(yaml: recipe.yaml()) == recipe)
    }

    @Test func schemesMayHaveSizes() throws {
        let recipe = try Recipe(
            yaml: """
                source: x
                targets:
                  - { compressed_tensors: W4A16, size: 5GB, method: gptq }
                  - { compressed_tensors: W4A16, bpw: 5.5, group_size: 64 }
                  - { compressed_tensors: "W4A16:bpw:5.5", group_size: 64 }
                """)
        let goals = recipe.targets.map { target -> String? in
            if case .compressedTensors(let target) = target { target.goal } else { nil }
        }
        #expect(goals == ["size:5GB", "bpw:5.5", "bpw:5.5"] && recipe.targets.map(\.name).last == "W4A16_G64")
        #expect(recipe.targets[1] == recipe.targets[2])
        let json = """
            {"source": "x", "targets": [{"compressed_tensors": "W4A16", "size": "5GB", "method": "gptq"},
            {"compressed_tensors": "W4A16", "bpw": 5.5, "group_size": 64},
            {"compressed_tensors": "W4A16:bpw:5.5", "group_size": 64}]}
            """
        #expect(try JSONDecoder().decode(Recipe.self, from: Data(json.utf8)) == recipe)
        #expect(try JSONDecoder().decode(Recipe.self, from: JSONEncoder().encode(recipe)) == recipe)
        #expect(try Recipe(yaml: recipe.yaml()) == recipe)
    }

    @Test func readsYAML() throws {
        let recipe = try Recipe(
            yaml: #"""
                source: ./Llama
                name: "no"
                targets:
                  - gguf: Q4_K_M
                    pure: true
                    tensors: { "attn_v": q8_0, 'blk\.[0-3]\.': F16 }
                    output_tensor_type: q6_K
                    token_embedding_type: bf16
                    leave_output_tensor: true
                  - { gguf: Q4_0, method: awq }
                  - { compressed_tensors: W4A16, group_size: 32, method: awq+gptq, ignore: [lm_head, "re:.*gate"] }
                  - compressed_tensors: W8A8
                    layers: { "re:.*down": W4A16_G32, a.b: none }
                split: { max_size: 5GB, max_tensors: 12, keep: true }
                include_weights: [ffn, "no"]
                exclude_weights: [attn]
                prune_layers: [0, 7]
                override_kv: ["a.b=int:7", "c=float:0.1", "d=bool:false", "e=str:x=y:z"]
                imatrix: stats.gguf
                calibration: { text: "~/text: 1.txt", chunk_tokens: 128, chunks: 20, process_output: true,
                               gram: { max_block: 256, budget: 3MB } }
                encoder: refined
                measurement: { chunks: 5 }
                sensitivity: costs.json
                evaluation: { text: other.txt, chunk_tokens: 64, chunks: 3 }
                forward: cuda
                allow_requantize: yes
                """#)
        #expect(recipe == Self.full)
        #expect(
            try Recipe(yaml: "source: x\ntargets: [{gguf: Q8_0}]")
                == Recipe(source: "x", targets: [.init(gguf: "Q8_0")]))
        let listed = try Recipe(
            yaml: "source: x\ntargets: [{gguf: Q8_0, tensors: [{pattern: a, type: f16}, {pattern: a, type: f32}]}]")
        let rules = [Recipe.TensorRule(pattern: "a", type: .f16), Recipe.TensorRule(pattern: "a", type: .f32)]
        #expect(listed.targets == [.init(gguf: "Q8_0", tensors: rules)])
    }

    @Test func writesWhatItReads() throws {
        #expect(try Recipe(yaml: Self.full.yaml()) == Self.full)
        let data = try JSONEncoder().encode(Self.full)
        #expect(try JSONDecoder().decode(Recipe.self, from: data) == Self.full)
    }

    @Test(arguments: [
        ("", "empty", QuernError.Code.usage),
        ("source: x", "'targets' is missing", .usage),
        ("targets: []", "'source' is missing", .usage),
        ("source: x\ntargets:\n  - gguf: Q8_0\n    tensor: 3", "r.yaml:4: unknown key 'tensor'", .usage),
        ("source: x\ntargets: []\ncalibration: {chunks: 2}", "r.yaml:3: calibration: 'text' is missing", .usage),
        ("source: x\ntargets: []\ncalibration: {text: a, chunks: 0}", "r.yaml:3: calibration.chunks: expected", .usage),
        ("source: x\ntargets: []\ncalibration: {text: a, tokens: 1}", "r.yaml:3: unknown key 'tokens'", .usage),
        ("source: x\ntargets: []\ncalibration: {text: a, gram: 3}", "calibration.gram: expected true", .usage),
        ("source: x\ntargets: []\ncalibration: {text: a, gram: {blocks: 3}}", "unknown key 'blocks'", .usage),
        ("source: x\ntargets: []\ncalibration: {text: a, gram: {max_block: 0}}", "gram.max_block: expected", .usage),
        ("source: x\ntargets: []\nevaluation: {chunks: 2}", "r.yaml:3: evaluation: 'text' is missing", .usage),
        ("source: x\ntargets: [{compressed_tensors: W4A16, method: best}]", "unknown method 'best'", .usage),
        ("source: x\ntargets: [{compressed_tensors: W4A16, pure: true}]", "has no 'pure'", .usage),
        ("source: x\ntargets: [{gguf: Q8_0, group_size: 32}]", "has no 'group_size'", .usage),
        ("source: x\ntargets: [{gguf: Q8_0, compressed_tensors: W8A8}]", "has no 'gguf'", .usage),
        ("source: x\ntargets: [{gguf: Q8_0, layers: {a: W8A8}}]", "has no 'layers'", .usage),
        ("source: x\ntargets: [{compressed_tensors: W8A8, layers: [{pattern: a}]}]", "'scheme' is missing", .usage),
        ("source: x\ntargets: [{compressed_tensors: W8A8, layers: {a: []}}]", "expected text", .usage),
        ("source: x\ntargets: [{size: 4.5GB, gguf: Q4_K_M}]", "'gguf'", .usage),
        ("source: x\ntargets: [{size: 4.5GB, bpw: 4}]", "'bpw'", .usage),
        ("source: x\ntargets: [{compressed_tensors: W4A16, size: 4.5GB, bpw: 4}]", "'bpw'", .usage),
        ("source: x\nforward: gpu\ntargets: []", "r.yaml:2: forward: 'gpu' computes no models", .usage),
        ("source: x\nencoder: best\ntargets: [{gguf: Q4_K_M}]", "unknown encoder 'best'", .usage),
        ("source: x\ntargets: [{gguf: Q8_0, pure: 3}]", "targets[0].pure: expected true or false", .usage),
        ("source: x\ntargets: [{gguf: Q8_0, tensors: {a: q9}}]", "unknown element type 'q9'", .usage),
        ("source: x\ntargets: []\nsplit: {max_size: 5XB}", "split.max_size: '5XB' is no amount", .usage),
        ("source: x\ntargets: []\nsplit: {max_tensors: 0}", "split.max_tensors", .usage),
        ("source: x\ntargets: []\nprune_layers: [-1]", "prune_layers[0]: expected a whole number", .usage),
        ("source: x\ntargets: []\noverride_kv: [a=b]", "override_kv[0]: 'a=b' is not of the form", .usage),
        ("source: x\ntargets: []\noverride_kv: ['=int:1']", "is not of the form", .usage),
        ("source: x\ntargets: []\noverride_kv: ['a=int:-1']", "has a value that is none of its type", .usage),
        ("source: x\ntargets: []\noverride_kv: ['a=int:4294967296']", "none of its type", .usage),
        ("source: x\ntargets: []\noverride_kv: ['a=bool:yes']", "none of its type", .usage),
        ("source: x\ntargets: []\noverride_kv: ['a=float:nan']", "none of its type", .usage),
        ("source: x\ntargets: []\noverride_kv: ['a=u8:1']", "has an unknown type", .usage),
        ("source: x\nsource: y\ntargets: []", "YAML", .usage),
        ("source: [x]\ntargets: []", "source: expected text", .usage),
        ("source: x\ntargets: {gguf: Q8_0}", "targets: expected a list", .usage),
        ("- source: x", "expected keys and values", .usage),
        ("source: {", "YAML", .usage),
        ("source: x\ntargets: []\nprune_layers: [153722867280912930:59]", "prune_layers[0]: expected a whole", .usage),
        ("source: &s x\ntargets: [{gguf: *s}]", "there are no aliases here, such as *s", .usage),
        (Self.bomb + "? *a20\n: 1\n? *a19\n: 2\n", "there are no aliases here, such as *a0", .usage),
        (String(repeating: "{?", count: 17) + "x" + String(repeating: ": 1}", count: 17), "than 16 keys", .usage),
    ])
    func refusesYAML(text: String, message: String, code: QuernError.Code) throws {
        let error = try #require(throws: QuernError.self) { try Recipe(yaml: text, name: "r.yaml") }
        #expect(error.code == code)
        #expect(error.description.contains(message), "\(error)")
        #expect(error.location.hasPrefix("r.yaml"))
    }

    /// Twenty lines that stand for 10²¹ values.
    private static let bomb = (1...20).reduce("a0: &a0 [x]\n") { text, level in
        text + "a\(level): &a\(level) [\(Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ","))]\n"
    }

    /// Signs that only look like those of aliases.
    @Test func readsAmpersandsAndStars() throws {
        let recipe = try Recipe(yaml: "source: /a &b\ntargets: [{compressed_tensors: W4A16, ignore: ['re:.*c*']}]")
        #expect(recipe.source == "/a &b")
    }

    @Test func readsJSONLeniently() throws {
        let minimal = Data(#"{"source": "a", "targets": [{"gguf": "Q4_K_M"}]}"#.utf8)
        let recipe = try JSONDecoder().decode(Recipe.self, from: minimal)
        #expect(recipe == Recipe(source: "a", targets: [.init(gguf: "Q4_K_M")]))
        let calibrated = Data(#"{"source": "a", "targets": [], "calibration": {"text": "t"}}"#.utf8)
        #expect(
            try JSONDecoder().decode(Recipe.self, from: calibrated).calibration
                == .init(text: "t", chunkTokens: 512, chunks: nil, processOutput: false))
        for (text, gram) in [
            ("true", Recipe.GramLimits()), ("false", nil), (#"{"budget": "1GB"}"#, .init(budget: 1_000_000_000)),
        ] {
            let data = Data(#"{"source": "a", "targets": [], "calibration": {"text": "t", "gram": \#(text)}}"#.utf8)
            let recipe = try JSONDecoder().decode(Recipe.self, from: data)
            #expect(recipe.calibration == .init(text: "t", gram: gram))
            #expect(try JSONDecoder().decode(Recipe.self, from: JSONEncoder().encode(recipe)) == recipe)
            let yaml = try Recipe(yaml: "source: a\ntargets: []\ncalibration: {text: t, gram: \(text)}")
            #expect(yaml == recipe)
            #expect(try Recipe(yaml: yaml.yaml()) == recipe)
        }
        let split = Data(
            #"{"source": "a", "targets": [{"gguf": "F16", "tensors": {"x": "q8_0"}}], "split": {"max_size": "2G"}}"#
                .utf8)
        let other = try JSONDecoder().decode(Recipe.self, from: split)
        #expect(other.split == .init(maxBytes: 2_000_000_000))
        #expect(other.targets == [.init(gguf: "F16", tensors: [.init(pattern: "x", type: .q8_0)])])
    }

    @Test(arguments: [
        (#"{"source": "a", "targets": [], "workers": 3}"#, QuernError.Code.usage),
        (#"{"source": "a", "targets": [{"gguf": "F16", "pur": true}]}"#, .usage),
        (#"{"source": "a", "targets": [], "calibration": {"text": "a", "tokens": 1}}"#, .usage),
        (#"{"source": "a", "targets": [{"bpw": 4.25, "bits": 4}]}"#, .usage),
        (#"{"source": "a", "targets": [], "override_kv": ["a=b"]}"#, .usage),
    ])
    func refusesUnknownJSONKeys(text: String, code: QuernError.Code) throws {
        let error = try #require(throws: QuernError.self) {
            try JSONDecoder().decode(Recipe.self, from: Data(text.utf8))
        }
        #expect(error.code == code)
    }

    @Test func severalRulesInAnObjectHaveNoOrder() {
        let text = #"{"source": "a", "targets": [{"gguf": "F16", "tensors": {"x": "q8_0", "y": "f16"}}]}"#
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(Recipe.self, from: Data(text.utf8)) }
    }
}

@Suite struct ByteCountTests {
    @Test(
        arguments: [
            ("5GB", 5_000_000_000), ("500M", 500_000_000), ("2g", 2_000_000_000), ("1GiB", 1 << 30), ("1.5 KiB", 1536),
            ("0", 0), ("1048576", 1 << 20), ("3b", 3), ("1T", 1_000_000_000_000), ("0.5k", 500),
        ] as [(String, UInt64)])
    func parses(text: String, bytes: UInt64) throws {
        #expect(try ByteCount.parse(text) == bytes)
    }

    @Test(arguments: [
        "", "GB", "-1", "5XB", "1.2.3M", ".5G", "5.", "99999999999999999999", "9999999999T", "nan", "1e3",
    ])
    func refuses(text: String) throws {
        let error = try #require(throws: QuernError.self) { try ByteCount.parse(text) }
        #expect(error.code == .usage)
    }
}
