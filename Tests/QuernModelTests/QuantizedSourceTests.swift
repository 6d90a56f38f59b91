import QuernFormats
import QuernModel
import QuernPlanning
import QuernStore
import TestSupport
import Testing

/// Quantized checkpoints as sources: the values that loaders compute, bit for bit, in every tensor of the model.
@Suite struct QuantizedSourceTests {
    struct Scheme: Sendable, CustomTestStringConvertible {
        let name: String
        let format: WeightFormat
        let config: String
        var hasOneScale = false
        var testDescription: String { name }

        /// A member of `config_groups`.
        func group(_ targets: String = "\"Linear\"") -> String {
            "{\"targets\": [\(targets)], \"format\": \"\(name)\", \"weights\": {\(config)}, \"input_activations\": null}"
        }

        var quantization: String {
            """
            {"quant_method": "compressed-tensors", "format": "\(name)", "ignore": ["lm_head"], "transform_config": {},
             "sparsity_config": {}, "config_groups": {"group_0": \(group())}}
            """
        }
    }

    static let schemes = [
        packed(4, group: 128), packed(4, group: 32, isSymmetric: false), packed(4, group: nil),
        packed(8, group: 128), packed(8, group: 64, isSymmetric: false), packed(4, group: nil, isSymmetric: false),
        Scheme(
            name: "int-quantized", format: .integer, config: #""num_bits": 8, "type": "int", "strategy": "channel""#),
        Scheme(
            name: "float-quantized", format: .float, config: #""num_bits": 8, "type": "float", "strategy": "channel""#),
        Scheme(
            name: "float-quantized", format: .float, config: #""num_bits": 8, "type": "float", "strategy": "tensor""#,
            hasOneScale: true),
        blocks,
        Scheme(
            name: "nvfp4-pack-quantized", format: .nvfp4,
            config: #""num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16"#),
        Scheme(
            name: "mxfp4-pack-quantized", format: .mxfp4,
            config: #""num_bits": 4, "type": "float", "strategy": "group", "group_size": 32"#),
    ]

    static let blocks = Scheme(
        name: "float-quantized", format: .floatBlocks,
        config: #""num_bits": 8, "type": "float", "strategy": "block", "block_structure": [128, 128]"#)

    static func packed(_ bits: Int, group: Int?, isSymmetric: Bool = true) -> Scheme {
        let strategy = group.map { "\"strategy\": \"group\", \"group_size\": \($0)" } ?? "\"strategy\": \"channel\""
        return Scheme(
            name: "pack-quantized", format: .packed(bits: bits, group: group, isSymmetric: isSymmetric),
            config: "\"num_bits\": \(bits), \"type\": \"int\", \"symmetric\": \(isSymmetric), \(strategy)")
    }

    /// All values of a folder's model: by name, as bits.
    private func values(_ path: String) throws -> [String: [UInt32]] {
        let model = try SourceModel.open(path: path)
        let files = SourceFiles(model.files)
        var values: [String: [UInt32]] = [:]
        for tensor in model.tensors {
            values[tensor.name] = try TensorReader(tensor: tensor, files: files, blobs: model.blobs).values()
                .map(\.bitPattern)
        }
        return values
    }

    private func expectSame(_ checkpoint: QuantizedCheckpoint, _ config: String) throws {
        let (found, expected) = (try values(checkpoint.write(config)), try values(checkpoint.writePlain()))
        #expect(Set(found.keys) == Set(expected.keys))
        for (name, values) in expected { #expect(found[name] == values, "\(name)") }
    }

    /// Rows of q and k are moved one by one on the way to a GGUF.
    @Test(arguments: schemes) func everyValueIsWhatLoadersCompute(scheme: Scheme) throws {
        let checkpoint = try QuantizedCheckpoint("llama")
        for layer in checkpoint.layers.dropLast() {
            try checkpoint.quantize(layer, WeightStorage(scheme.format), hasOneScale: scheme.hasOneScale)
        }
        let layer = try #require(checkpoint.layers.first)
        checkpoint.tensors["\(layer).input_global_scale"] = .init(type: .f32, shape: [1], bytes: [0, 0, 0, 0])
        try expectSame(checkpoint, scheme.quantization)
    }

    static let layouts: [(storage: WeightStorage, config: String)] = [
        (
            WeightStorage(.packed(bits: 4, group: 32, isSymmetric: false), layout: .awq),
            #""quant_method": "awq", "bits": 4, "group_size": 32, "version": "GEMM", "modules_to_not_convert": null"#
        ),
        (
            WeightStorage(.packed(bits: 4, group: 64, isSymmetric: true), layout: .gptq),
            #""quant_method": "gptq", "bits": 4, "group_size": 64, "sym": true, "desc_act": false"#
        ),
        (
            WeightStorage(.packed(bits: 8, group: nil, isSymmetric: true), layout: .gptq),
            #""quant_method": "gptq", "bits": 8, "group_size": -1, "checkpoint_format": "gptq""#
        ),
        (
            WeightStorage(.nf4, layout: .bitsandbytes),
            #""quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": true"#
        ),
        (WeightStorage(.absmax8, layout: .bitsandbytes), #""quant_method": "bitsandbytes", "load_in_8bit": true"#),
    ]

    @Test(arguments: layouts.indices) func everyValueOfOtherLayoutsIsWhatLoadersCompute(index: Int) throws {
        let (storage, config) = Self.layouts[index]
        let checkpoint = try QuantizedCheckpoint("llama")
        for layer in checkpoint.layers.dropLast() { try checkpoint.quantize(layer, storage) }
        try expectSame(checkpoint, "{\(config)}")
    }

    /// What says nothing new in files of one's own may say something else in others.
    @Test(arguments: [
        (1, "g_idx", "not neighbours"), (1, "qzeros", "zero points that are not the middle"),
        (3, "weight.quant_map", "other values"),
        (3, "weight.nested_quant_map", "other values"), (4, "weight_format", "another order"),
        (3, "weight.quant_state.bitsandbytes__nf4", "not NF4"),
    ]) func otherConstantsAreRefused(index: Int, component: String, message: String) throws {
        let (storage, config) = Self.layouts[index]
        let checkpoint = try QuantizedCheckpoint("llama")
        let layer = "model.layers.1.mlp.up_proj"
        try checkpoint.quantize(layer, storage)
        checkpoint.tensors["\(layer).\(component)"]?.bytes[component == "weight_format" ? 0 : 4] ^= 1
        let path = try checkpoint.write("{\(config)}")
        let error = try #require(throws: QuernError.self) { try values(path) }
        #expect(error.message.contains(message) && error.location.contains("\(layer).\(component)"), "\(error)")
    }

    /// The first group by name, the second by an expression, the third for all others.
    @Test func layersMayDiffer() throws {
        let checkpoint = try QuantizedCheckpoint("llama")
        let named = "model.layers.0.mlp.down_proj"
        let groups = [Self.packed(8, group: 64, isSymmetric: false), Self.blocks, Self.packed(4, group: 32)]
        for layer in checkpoint.layers {
            let scheme = layer == named ? groups[0] : layer.contains(".mlp.") ? groups[1] : groups[2]
            try checkpoint.quantize(layer, WeightStorage(scheme.format))
        }
        try expectSame(
            checkpoint,
            """
            {"quant_method": "compressed-tensors", "format": "mixed-precision", "config_groups": {
             "a": \(groups[2].group()), "b": \(groups[1].group(#""re:.*\\.mlp\\..*""#)),
             "c": \(groups[0].group("\"\(named)\""))}}
            """)
    }

    /// As DeepSeek publishes it: latent attention is cut, and in part transposed, and experts are joined.
    @Test func blocksOfDeepSeek() throws {
        let checkpoint = try QuantizedCheckpoint("deepseek_v3")
        let layers =
            checkpoint.layers
            + checkpoint.tensors.keys.filter { $0.hasSuffix("proj_with_mqa.weight") }
            .map { String($0.dropLast(".weight".count)) }
        #expect(layers.count == 40)
        for layer in layers { try checkpoint.quantize(layer, WeightStorage(.floatBlocks), scales: "weight_scale_inv") }
        try expectSame(checkpoint, #"{"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}"#)
    }

    @Test func aFactorForAllOfAMatrix() throws {
        let checkpoint = try QuantizedCheckpoint("llama")
        for layer in checkpoint.layers {
            try checkpoint.quantize(layer, WeightStorage(.float), hasOneScale: true, scales: "weight_scale")
            checkpoint.tensors["\(layer).weight_scale"]?.shape = []
        }
        try expectSame(checkpoint, #"{"quant_method": "fp8", "activation_scheme": "static"}"#)
    }

    /// What only the bytes tell is told when they are read.
    @Test(
        arguments: [
            (packed(4, group: 32), "weight_scale", [0, 0x7f]), (packed(4, group: 32), "weight_scale", [0x80, 0xff]),
            (blocks, "weight", [0x7f]), (schemes[10], "weight_global_scale", [0, 0, 0, 0]),
            (schemes[10], "weight_global_scale", [0, 0, 0x80, 0x7f]),
            (schemes[10], "weight_global_scale", [0, 0, 0x80, 0xbf]), (schemes[11], "weight_scale", [0xff]),
            (packed(4, group: 32), "weight_shape", [1]),
        ] as [(Scheme, String, [UInt8])])
    func damagedBytesAreNamed(scheme: Scheme, component: String, bytes: [UInt8]) throws {
        let checkpoint = try QuantizedCheckpoint("llama")
        let layer = "model.layers.1.mlp.up_proj"
        try checkpoint.quantize(layer, WeightStorage(scheme.format))
        checkpoint.tensors["\(layer).\(component)"]?.bytes.replaceSubrange(0..<bytes.count, with: bytes)
        let path = try checkpoint.write(scheme.quantization)
        let error = try #require(throws: QuernError.self) { try values(path) }
        #expect(error.code == .invalidInput)
        #expect(error.location.hasPrefix("\(path)/model.safetensors") && error.location.contains(layer))
        #expect(error.message.contains("row 0, column 0 is") || error.message.contains("its \(component) is"))
    }
}
