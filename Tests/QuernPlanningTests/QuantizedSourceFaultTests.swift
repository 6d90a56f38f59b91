import Foundation
import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import TestSupport
import Testing

/// What is refused of quantized checkpoints, by headers alone.
@Suite struct QuantizedSourceFaultTests {
    private static let layer = "model.layers.0.mlp.up_proj"
    /// Of the fixture.
    private static let (rows, columns) = (512, 256)

    private typealias Tensor = (type: SafetensorsType, shape: [Int])

    private func tensors(of format: WeightFormat) -> [String: Tensor] {
        Dictionary(
            uniqueKeysWithValues: format.components.map {
                (
                    "\(Self.layer).\($0.rawValue)",
                    (
                        format.type(of: $0, source: .bf16),
                        format.shape(of: $0, rows: Self.rows, columns: Self.columns)
                    )
                )
            })
    }

    /// A fixture with one quantized layer.
    /// - Parameter change: of its tensors, by name.
    private func fixture(
        _ format: WeightFormat = .packed(bits: 4, group: 64, isSymmetric: false),
        _ config: [String: Any]? = nil, change: (inout [String: Tensor]) -> Void = { _ in }
    ) throws -> ConvertFixture {
        var made = tensors(of: format)
        change(&made)
        let fixture = try ConvertFixture("llama")
        try fixture.edit("config.json") { $0["quantization_config"] = config ?? Self.config() }
        try fixture.editTensors { entries in
            entries["\(Self.layer).weight"] = nil
            for (name, tensor) in made {
                entries[name] = ["dtype": tensor.type.rawValue, "shape": tensor.shape, "data_offsets": [0, 0]]
            }
            // One after the other, without what is gone.
            var offset = 0
            for name in entries.keys.sorted() where name != "__metadata__" {
                guard var entry = entries[name] as? [String: Any], let shape = entry["shape"] as? [Int],
                    let type = (entry["dtype"] as? String).flatMap(SafetensorsType.init)
                else { continue }
                let bytes = Int(type.bytes(shape: shape) ?? 0)
                entry["data_offsets"] = [offset, offset + bytes]
                offset += bytes
                entries[name] = entry
            }
        }
        return fixture
    }

    private static func config(
        _ format: String = "pack-quantized", targets: [String] = ["Linear"], more: [String: Any] = [:],
        weights: [String: Any] = [:]
    ) -> [String: Any] {
        let numbers: [String: Any] = [
            "num_bits": 4, "type": "int", "symmetric": false, "strategy": "group", "group_size": 64,
        ]
        let group: [String: Any] = ["targets": targets, "weights": numbers.merging(weights) { $1 }]
        return ["quant_method": "compressed-tensors", "format": format, "config_groups": ["group_0": group]]
            .merging(more) { $1 }
    }

    private func refusal(_ fixture: ConvertFixture) throws -> QuernError {
        try #require(SourceModel.failure(fixture), "nothing is refused")
    }

    @Test func aLayerTakesThePlaceOfItsComponents() throws {
        let model = try fixture().open()
        let tensor = try #require(model.tensor("blk.0.ffn_up.weight"))
        #expect(tensor.type == .f32 && tensor.shape == [Self.columns, Self.rows])
        #expect(model.quantizedAs == "compressed-tensors")
        let plain = try ConvertFixture("llama").open()
        #expect(Set(model.tensors.map(\.name)) == Set(plain.tensors.map(\.name)))
        #expect(plain.quantizedAs == nil)
    }

    @Test(arguments: ["weight_packed", "weight_scale", "weight_shape", "weight_zero_point"])
    func missingComponentsAreNamed(component: String) throws {
        let fixture = try fixture { $0["\(Self.layer).\(component)"] = nil }
        let error = try refusal(fixture)
        #expect(error.code == .invalidInput && error.message.contains("\(Self.layer).\(component)"))
        #expect(error.location.hasPrefix("\(fixture.path)/model.safetensors: tensor '\(Self.layer)."))
    }

    @Test(
        arguments: [
            ("weight_packed", .i32, [512, 31]), ("weight_packed", .i32, [512]), ("weight_packed", .i32, [512, 0]),
            ("weight_packed", .u8, [512, 32]), ("weight_scale", .bf16, [511, 4]), ("weight_scale", .bf16, [512, 5]),
            ("weight_scale", .i32, [512, 4]), ("weight_scale", .bf16, []), ("weight_zero_point", .i32, [512, 4]),
            ("weight_zero_point", .i8, [64, 4]), ("weight_shape", .i64, [3]), ("weight", .bf16, [512, 256]),
            ("weight_g_idx", .i32, [256]),
        ] as [(String, SafetensorsType, [Int])])
    func whatDoesNotFitIsNamed(component: String, type: SafetensorsType, shape: [Int]) throws {
        let fixture = try fixture { $0["\(Self.layer).\(component)"] = (type, shape) }
        let error = try refusal(fixture)
        #expect([.invalidInput, .unsupported].contains(error.code))
        #expect(error.location.contains("\(fixture.path)/model.safetensors: tensor '\(Self.layer)."), "\(error)")
    }

    @Test func numbersWithoutScales() throws {
        let fixture = try fixture(.float, ["quant_method": "fp8", "weight_block_size": [128, 128]]) {
            $0["\(Self.layer).weight_scale"] = nil
        }
        #expect(try refusal(fixture).message.contains("'\(Self.layer).weight_scale'"))
    }

    @Test func configurationsThatCannotBeRead() throws {
        func refused(_ config: [String: Any], _ words: String, _ code: QuernError.Code = .unsupported) throws {
            let error = try refusal(fixture(.packed(bits: 4, group: 64, isSymmetric: false), config))
            #expect(error.code == code && error.description.contains(words), "\(error)")
        }
        try refused(["quant_method": "hqq", "bits": 4], "'hqq'")
        try refused(["quant_method": "awq", "bits": 4, "version": "gemv"], "version: nothing here knows AWQ")
        try refused(["quant_method": "awq", "bits": 8], "bits: nothing here knows AWQ of other than 4 bits")
        try refused(["quant_method": "gptq", "bits": 3], "bits: nothing here knows GPTQ")
        try refused(["quant_method": "gptq", "bits": 4, "desc_act": true], "desc_act: nothing here knows GPTQ")
        try refused(["quant_method": "gptq", "bits": 4, "sym": false], "sym: nothing here knows GPTQ")
        try refused(["quant_method": "gptq", "bits": 4, "sym": "false"], "sym: a string", .invalidInput)
        try refused(["quant_method": "gptq", "bits": 4, "dynamic": ["-:(.*)*x$": [:]]], "forever", .usage)
        try refused(["quant_method": "gptq", "bits": 4, "dynamic": ["-:.*.*.*.*.*z": [:]]], "forever", .usage)
        try refused(["quant_method": "gptq", "bits": 4, "group_size": 48_000_000], "group_size")
        try refused(["quant_method": "bitsandbytes"], "load_in_4bit", .invalidInput)
        try refused(["quant_method": "bitsandbytes", "load_in_4bit": true], "NF4 with double quantization")
        try refused(["quant_method": "fp8", "weight_block_size": [64, 64]], "weight_block_size")
        try refused(["quant_method": "fp8", "weight_block_size": "x"], "weight_block_size")
        try refused(["quant_method": "compressed-tensors"], "config_groups", .invalidInput)
        try refused(Self.config(weights: ["num_bits": 3]), "3-bit 'int'")
        try refused(Self.config(weights: ["group_size": 7]), "config_groups.'group_0'")
        try refused(Self.config(weights: ["group_size": -4]), "config_groups.'group_0'")
        try refused(Self.config("marlin-24"), "'marlin-24'")
        try refused(Self.config(more: ["sparsity_config": ["format": "sparse-24-bitmask"]]), "sparse")
        try refused(Self.config(more: ["transform_config": ["config_groups": ["u": [:]]]]), "rotated")
        try refused(Self.config(targets: ["re:("]), "regular expression", .usage)
        try refused(Self.config(targets: ["re:.*down_proj"]), "how this layer is quantized", .invalidInput)
        // Groups of another size than the scales.
        try refused(Self.config(weights: ["group_size": 32]), "would fit", .invalidInput)
        try refused(Self.config(weights: ["symmetric": true, "strategy": "tensor"]), "weight_shape", .invalidInput)
    }

    /// Whatever stands in headers and config.json is read or refused; nothing of it stops the program.
    @Test(arguments: 0..<150 as Range<UInt64>) func anythingIsReadOrRefused(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        func one<Value>(_ values: [Value]) -> Value { values[Int.random(in: values.indices, using: &random)] }
        let formats: [WeightFormat] = [
            .packed(bits: 4, group: 64, isSymmetric: false), .packed(bits: 8, group: nil, isSymmetric: true), .integer,
            .float, .floatBlocks, .nvfp4, .mxfp4,
        ]
        let names = [
            "pack-quantized", "int-quantized", "float-quantized", "nvfp4-pack-quantized", "mxfp4-pack-quantized",
        ]
        let config: [String: Any] =
            seed % 5 == 0
            ? ["quant_method": "fp8", "weight_block_size": one([[128, 128], [128], 5] as [Any])]
            : Self.config(
                one(names),
                weights: [
                    "num_bits": one([4, 8]), "type": one(["int", "float"]), "symmetric": one([true, false]),
                    "strategy": one(["group", "channel", "tensor", "block", "tensor_group"]),
                    "group_size": one([NSNull(), -1, 0, 2, 16, 32, 64, 128, 1 << 40] as [Any]),
                    "block_structure": one([[128, 128], [1, 1], "x"] as [Any]),
                ])
        let last = WeightComponent.allCases.map(\.rawValue) + ["weight_scale_inv", "weight_g_idx", "input_scale"]
        let fixture = try fixture(one(formats), config) { tensors in
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let shape = (0..<one([0, 1, 2, 2, 2, 3])).map { _ in one([0, 1, 2, 4, 32, 64, 255, 256, 512]) }
                let type: SafetensorsType = one([.i32, .i64, .bf16, .f32, .u8, .i8, .f8_E4M3, .f8_E8M0])
                tensors["\(Self.layer).\(one(last))"] = one([(type, shape), nil])
            }
        }
        do {
            let model = try fixture.open()
            #expect(model.tensor("blk.0.ffn_up.weight")?.elements == Self.rows * Self.columns)
        } catch {
            #expect(error is QuernError, "\(error)")
        }
    }

    /// Rounding for a second time needs the user's word; what a model was published as does not.
    @Test func consent() throws {
        func plan(_ source: ConvertFixture, _ target: Recipe.Target, allow: Bool) throws -> Plan {
            try Planner.plan(Recipe(source: source.path, name: "m", targets: [target], allowRequantize: allow))
        }
        let second = try fixture()
        let published = try fixture(.floatBlocks, ["quant_method": "fp8", "weight_block_size": [128, 128]])
        let refused = try plan(second, Recipe.Target(gguf: "Q8_0"), allow: false)
        #expect(refused.refusals.map(\.tensor) == ["blk.0.ffn_up.weight"])
        #expect(refused.refusals.first?.reason.contains("--allow-requantize") == true)
        for target in ["F16", "BF16", "F32"] {
            #expect(try plan(second, Recipe.Target(gguf: target), allow: false).refusals.isEmpty)
        }
        #expect(try plan(second, Recipe.Target(gguf: "Q8_0"), allow: true).refusals.isEmpty)
        #expect(try plan(published, Recipe.Target(gguf: "Q8_0"), allow: false).refusals.isEmpty)

        let scheme = Recipe.Target(compressedTensors: "W8A8")
        let error = try #require(throws: QuernError.self) { try plan(second, scheme, allow: false) }
        #expect(error.code == .usage && error.remedy.contains("--allow-requantize"))
        for (source, allow) in [(second, true), (published, false)] {
            let plan = try plan(source, scheme, allow: allow)
            let tensors = Dictionary(uniqueKeysWithValues: plan.targets[0].tensors.map { ($0.name, $0) })
            #expect(tensors["\(Self.layer).weight"]?.type == .element(.i8))
            // Scales of the type that config.json says the model has.
            #expect(tensors["\(Self.layer).weight_scale"]?.type == .element(.bf16))
            #expect(tensors["\(Self.layer).weight_packed"] == nil)
        }
    }

    /// Another folder with the same bytes at other places is another source.
    @Test func theIdentityHangsOnHowWeightsAreStored() throws {
        func identity(_ config: [String: Any]) throws -> Digest {
            try fixture(.packed(bits: 4, group: 64, isSymmetric: false), config).open().identity
        }
        let one = try identity(Self.config())
        #expect(try identity(Self.config()) == one)
        #expect(try identity(Self.config(targets: ["re:.*up_proj"])) == one)
        let other = try fixture(
            .packed(bits: 4, group: 64, isSymmetric: true), Self.config(weights: ["symmetric": true]))
        #expect(try other.open().identity != one)
    }
}
