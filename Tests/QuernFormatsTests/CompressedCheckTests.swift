import QuernFormats
import TestSupport
import Testing

/// Folders of compressed-tensors that are broken in one place each: the check names the place and the kind.
@Suite struct CompressedCheckTests {
    typealias Fixture = CompressedFixture
    typealias Kind = CompressedFault.Kind

    private static let q = "model.layers.0.self_attn.q_proj"
    private static let expert = "model.layers.0.mlp.experts.1"

    /// What is wrong after a change, as "kind place".
    private func faults(_ format: Int, _ change: (inout Fixture) -> Void) throws -> [String] {
        var fixture = try Fixture(format)
        change(&fixture)
        return try fixture.faults().map { "\($0.kind) \($0.place)" }
    }

    @Test(arguments: Fixture.formats.indices) func wholeFoldersPass(format: Int) throws {
        #expect(try Fixture(format).faults() == [])
    }

    /// Without any of its tensors, and with any of another type or shape, a layer is found at fault.
    @Test(arguments: Fixture.formats.indices) func everyTensorCounts(format: Int) throws {
        let names = try Fixture(format).tensors.keys.filter { $0.hasPrefix(Self.q) }.sorted()
        #expect(names.count >= 2)
        for name in names {
            let missing = try faults(format) { $0.tensors[name] = nil }
            #expect(missing.contains { $0.hasSuffix(name) || $0.hasSuffix(Self.q) }, "\(name): \(missing)")
            let retyped = try faults(format) { fixture in
                // The same bytes as another type: no header is at fault.
                guard let tensor = fixture.tensors[name] else { return }
                let type: SafetensorsType = tensor.type == .f8_E5M2 ? .u8 : .f8_E5M2
                fixture.tensors[name]?.type = type
                guard let last = tensor.shape.indices.last else { return }
                fixture.tensors[name]?.shape[last] *= tensor.type.bits / 8
            }
            #expect(!retyped.isEmpty && retyped.allSatisfy { $0.contains(Self.q) }, "\(name): \(retyped)")
            let reshaped = try faults(format) { fixture in
                guard let tensor = fixture.tensors[name] else { return }
                fixture.tensors[name]?.shape = [2 * (tensor.shape.first ?? 1)] + tensor.shape.dropFirst()
                fixture.tensors[name]?.bytes += tensor.bytes
            }
            #expect(!reshaped.isEmpty && reshaped.allSatisfy { $0.contains(Self.q) }, "\(name): \(reshaped)")
        }
    }

    /// What must be the same in every layer.
    @Test func otherConstantsAreFound() throws {
        var found = 0
        for format in Fixture.formats.indices {
            let storage = Fixture.formats[format].storage
            for component in storage.components {
                let isZeros = component == .transposedZeroPoint && storage.layout == .gptq
                guard isZeros || storage.constant(component, columns: 256) != nil else { continue }
                let name = "\(Self.q).\(component.rawValue)"
                let faults = try faults(format) { fixture in
                    guard let last = fixture.tensors[name]?.bytes.indices.last else { return }
                    fixture.tensors[name]?.bytes[last] ^= 1
                }
                #expect(faults == ["constant \(name)"])
                found += 1
            }
        }
        #expect(found == 5)
    }

    @Test func tensorsThatNoSchemeHasAreFound() throws {
        let faults = try faults(0) {
            $0.tensors["\(Self.q).weight_g_idx"] = .init(type: .i32, shape: [1], bytes: [0, 0, 0, 0])
        }
        #expect(faults == ["unknownTensor \(Self.q).weight_g_idx"])
    }

    @Test func plainLayersMustBeIgnored() throws {
        #expect(try faults(4) { $0.ignore = #"["lm_head"]"# } == ["plainLayer model.layers.0.mlp.router"])
        #expect(try faults(4) { $0.ignore = #"["re:.*router"]"# } == ["plainLayer lm_head"])
    }

    @Test func ignoredLayersMustBePlain() throws {
        let faults = try faults(0) { $0.ignore = #"["lm_head", "re:.*router", "model.layers.0.self_attn.q_proj"]"# }
        #expect(faults == ["quantizedLayer \(Self.q)"])
    }

    @Test func targetsByNameMustBeThere() throws {
        let faults = try faults(0) {
            $0.groups = $0.groups.replacing(#"["Linear"]"#, with: #"["Linear", "model.layers.7.self_attn.q_proj"]"#)
        }
        #expect(faults == ["missingLayer model.layers.7.self_attn.q_proj"])
    }

    @Test(arguments: [[159, 256], [160, 0], [160, -1], [160, 128], [160, 1 << 40]])
    func storedShapesMustFit(shape: [Int]) throws {
        let faults = try faults(0) { $0.tensors["\(Self.q).weight_shape"]?.bytes = shape.flatMap(Fixture.bytes) }
        #expect(!faults.isEmpty && faults.allSatisfy { $0.contains(Self.q) })
    }

    /// Zero, infinity and what is no number, of either sign, in every type of scales.
    @Test(
        arguments: [
            (0, "weight_scale", [[0, 0], [0, 0x80], [0, 0x7C], [1, 0x7C], [0, 0xFC]]),
            (6, "weight_scale", [[0], [0x80], [0x7F], [0xFF]]),
            (6, "weight_global_scale", [[0, 0, 0, 0], [0, 0, 0x80, 0x7F], [0, 0, 0xC0, 0xFF]]),
            (6, "input_global_scale", [[0, 0, 0, 0]]),
            (7, "weight_scale", [[0xFF]]),
        ] as [(Int, String, [[UInt8]])])
    func scalesMustBeNumbersToDivideBy(format: Int, name: String, values: [[UInt8]]) throws {
        let tensor = "\(Self.expert).w1.\(name)"
        for value in values {
            var fixture = try Fixture(format)
            var bytes = try #require(fixture.tensors[tensor]?.bytes)
            bytes.replaceSubrange((bytes.count - value.count)..<bytes.count, with: value)
            fixture.tensors[tensor]?.bytes = bytes
            let fault = try #require(try fixture.faults().first { $0.kind == .scale }, "\(value)")
            #expect(fault.place == tensor && fault.found.hasSuffix("element \(bytes.count / value.count - 1)"))
        }
    }

    @Test func largestAndSmallestScalesPass() throws {
        let cases: [(Int, [[UInt8]])] = [
            (0, [[1, 0], [0xFF, 0x7B], [1, 0x80]]), (6, [[1], [0x7E]]), (7, [[0], [0xFE]]),
        ]
        for (format, values) in cases {
            for value in values {
                let faults = try faults(format) {
                    $0.tensors["\(Self.q).weight_scale"]?.bytes.replaceSubrange(0..<value.count, with: value)
                }
                #expect(faults.isEmpty)
            }
        }
    }

    /// The first of a set is taken for right: all that differ from it are named.
    @Test(arguments: [
        ("model.layers.0.self_attn.k_proj", ["model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj"]),
        ("model.layers.0.self_attn.v_proj", ["model.layers.0.self_attn.v_proj"]), ("\(expert).w3", ["\(expert).w3"]),
    ]) func fusedLayersShareTheirGlobalScale(layer: String, named: [String]) throws {
        let faults = try faults(6) { $0.tensors["\(layer).weight_global_scale"]?.bytes = [0, 0, 0, 0x40] }
        #expect(faults == named.map { "globalScale \($0)" })
    }

    @Test(arguments: [[0, 1 << 57], [1 << 57, 0], [0, 0], [0]])
    func weightsOfNoSizeAreFound(shape: [Int]) throws {
        let faults = try faults(0) { fixture in
            fixture.tensors["\(Self.q).weight_packed"]?.shape = shape
            fixture.tensors["\(Self.q).weight_packed"]?.bytes = []
        }
        #expect(faults.contains("shape \(Self.q).weight_packed"))
    }

    @Test func expertsMustBeComplete() throws {
        #expect(
            try faults(4) { fixture in
                for name in fixture.tensors.keys where name.hasPrefix(Self.expert + ".") { fixture.tensors[name] = nil }
            } == ["experts \(Self.expert)"])
        #expect(
            try faults(4) { fixture in
                for name in fixture.tensors.keys where name.hasPrefix(Self.expert + ".w3") {
                    fixture.tensors[name] = nil
                }
            } == ["experts \(Self.expert).w3.weight", "experts \(Self.expert).w3.weight_scale"])
        #expect(
            try faults(4) { $0.members = #""text_config": {"num_experts": 3}"# } == [
                "experts model.layers.0.mlp.experts.2"
            ])
        #expect(try faults(4) { $0.members = #""num_experts": 3, "block_configs": []"# } == [])
    }

    @Test func theIndexMustCount() throws {
        #expect(try faults(4) { $0.totalSize = 7 } == ["totalSize model.safetensors.index.json"])
    }

    @Test func everyFileMustSayWhatWroteIt() throws {
        #expect(try faults(4) { $0.metadata = [:] }.count == 2)
    }

    @Test func everyKindHasAnErrorOfItsOwn() {
        let errors = Kind.allCases.map { CompressedFault($0, at: "x", expected: "a", found: "b").error }
        #expect(Set(errors.map(\.message)).count == Kind.allCases.count)
        #expect(errors.allSatisfy { $0.code == .invalidInput && !$0.remedy.isEmpty && $0.location == "x" })
    }

    @Test(arguments: [
        (#""compressed-tensors""#, #""awq""#), (#""compressed""#, #""initialized""#),
        ("\"num_bits\": 4", "\"num_bits\": 3"),
        ("\"strategy\": \"group\"", "\"strategy\": \"block\""), ("\"group_size\": 128", "\"group_size\": 0"),
        (#""targets": ["Linear"]"#, #""targets": "Linear""#), (#"["Linear"]"#, #"["re:("]"#), (#"["Linear"]"#, "[7]"),
    ]) func descriptionsThatMakeNoSenseAreRefused(from: String, to: String) throws {
        let folder = try TemporaryFolder()
        try Fixture(0).write(to: folder)
        let config = String(
            decoding: try #require(try Checkpoint.open(path: folder.path).bytes("config.json")), as: UTF8.self)
        try #require(config.contains(from))
        try folder.write(config.replacing(from, with: to), to: "config.json")
        let checkpoint = try Checkpoint.open(path: folder.path)
        let error = #expect(throws: QuernError.self) { try CompressedCheck(checkpoint) }
        #expect(error?.location.contains("config.json") == true, "\(String(describing: error))")
    }
}
