import QuernFormats
import TestSupport

/// A folder of quantized layers in which every scale is 1, to be broken in one place.
struct CompressedFixture {
    struct Layer {
        var name: String
        var weights: WeightFormat
        var rows: Int
        var columns: Int
    }
    struct Tensor {
        var type: SafetensorsType
        var shape: [Int]
        var bytes: [UInt8]
    }

    static let formats: [(key: String, storage: WeightStorage, weights: String, inputs: String)] =
        compressed.map { ($0.key, WeightStorage($0.format), $0.weights, $0.inputs) } + others

    /// Layouts that are not compressed-tensors', with all that their configurations say.
    private static let others: [(key: String, storage: WeightStorage, weights: String, inputs: String)] = [
        (
            "awq", WeightStorage(.packed(bits: 4, group: 64, isSymmetric: false), layout: .awq),
            #""bits": 4, "group_size": 64, "zero_point": true, "version": "gemm", "modules_to_not_convert": ["lm_head", "router"]"#,
            ""
        ),
        (
            "gptq", WeightStorage(.packed(bits: 8, group: nil, isSymmetric: true), layout: .gptq),
            #""bits": 8, "group_size": -1, "sym": true, "desc_act": false, "dynamic": {"-:.*router": {}}"#, ""
        ),
        (
            "bitsandbytes", WeightStorage(.nf4, layout: .bitsandbytes),
            #""load_in_4bit": true, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": true, "llm_int8_skip_modules": ["lm_head", "router"]"#,
            ""
        ),
        (
            "bitsandbytes", WeightStorage(.absmax8, layout: .bitsandbytes),
            #""load_in_8bit": true, "llm_int8_skip_modules": ["lm_head", "router"]"#, ""
        ),
    ]

    private static let compressed: [(key: String, format: WeightFormat, weights: String, inputs: String)] = [
        (
            "pack-quantized", .packed(bits: 4, group: 128, isSymmetric: true),
            #""num_bits": 4, "type": "int", "symmetric": true, "strategy": "group", "group_size": 128"#, "null"
        ),
        (
            "pack-quantized", .packed(bits: 4, group: nil, isSymmetric: false),
            #""num_bits": 4, "type": "int", "symmetric": false, "strategy": "channel""#, "null"
        ),
        (
            "pack-quantized", .packed(bits: 8, group: 32, isSymmetric: true),
            #""num_bits": 8, "type": "int", "strategy": "group", "group_size": 32"#, "null"
        ),
        ("int-quantized", .integer, #""num_bits": 8, "type": "int", "strategy": "channel""#, "null"),
        ("float-quantized", .float, #""num_bits": 8, "type": "float", "strategy": "channel""#, "null"),
        (
            "float-quantized", .floatBlocks,
            #""num_bits": 8, "type": "float", "strategy": "block", "block_structure": [128, 128]"#, "null"
        ),
        (
            "nvfp4-pack-quantized", .nvfp4,
            #""num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16"#,
            #"{"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16, "dynamic": "local"}"#
        ),
        (
            "mxfp4-pack-quantized", .mxfp4,
            #""num_bits": 4, "type": "float", "strategy": "group", "group_size": 32"#, "null"
        ),
    ]

    var tensors: [String: Tensor] = [:]
    var format: String
    var groups: String
    /// All that an other layout's configuration says.
    var other: String?
    var ignore = #"["lm_head", "re:.*router"]"#
    var members = #""num_experts": 2"#
    var metadata = ["format": "pt"]
    /// The size that the index tells, in place of the right one.
    var totalSize: Int?

    /// Attention and two experts in one format, a head, a norm, a router and an embedding as they were.
    init(_ index: Int) throws {
        let (key, storage, weights, inputs) = Self.formats[index]
        if storage.layout != .compressedTensors { other = weights }
        self.format = key
        groups = """
            {"group_0": {"targets": ["Linear"], "format": "\(key)", "input_activations": \(inputs),
             "weights": {\(weights), "dynamic": false}}}
            """
        for name in ["q_proj", "k_proj", "v_proj"] {
            try add("model.layers.0.self_attn.\(name)", storage, rows: name == "q_proj" ? 160 : 64)
        }
        for expert in 0..<2 {
            for name in ["w1", "w3"] { try add("model.layers.0.mlp.experts.\(expert).\(name)", storage, rows: 64) }
        }
        for name in ["model.embed_tokens", "lm_head", "model.layers.0.mlp.router"] {
            tensors["\(name).weight"] = Tensor(type: .f16, shape: [4, 256], bytes: Array(repeating: 0, count: 2048))
        }
        tensors["model.norm.weight"] = Tensor(type: .f16, shape: [256], bytes: Array(repeating: 0, count: 512))
    }

    private mutating func add(_ layer: String, _ storage: WeightStorage, rows: Int) throws {
        let columns = 256
        for component in storage.components {
            let type = storage.type(of: component, source: .f16)
            let shape = storage.shape(of: component, rows: rows, columns: columns)
            let bytes =
                switch component {
                case .shape: [rows, columns].flatMap(Self.bytes)
                case .state: Self.state(rows, columns)
                case .transposedZeroPoint where storage.layout == .gptq:
                    (0..<shape.reduce(4, *)).map { _ in UInt8(truncatingIfNeeded: storage.zeroPointWord) }
                default: storage.constant(component, columns: columns) ?? Self.ones(type, shape)
                }
            tensors["\(layer).\(component.rawValue)"] = Tensor(type: type, shape: shape, bytes: bytes)
        }
        if storage.numbers == .nvfp4 {
            tensors["\(layer).input_global_scale"] = Tensor(type: .f32, shape: [1], bytes: Self.ones(.f32, [1]))
        }
    }

    private static func state(_ rows: Int, _ columns: Int) -> [UInt8] {
        let text = """
            {"quant_type": "nf4", "blocksize": 64, "shape": [\(rows), \(columns)], "nested_blocksize": 256, "nested_offset": 0.5}
            """
        return Array((text + String(repeating: " ", count: WeightStorage.stateBytes - text.utf8.count)).utf8)
    }

    static func bytes(_ number: Int) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }

    /// One in types that scales have, anything in others.
    static func ones(_ type: SafetensorsType, _ shape: [Int]) -> [UInt8] {
        let one: [UInt8] =
            switch type {
            case .f32: [0, 0, 0x80, 0x3F]
            case .f16: [0, 0x3C]
            case .f8_E4M3: [0x38]
            default: Array(repeating: 0, count: type.bits / 8)
            }
        return Array(repeatElement(one, count: shape.reduce(1, *)).joined())
    }

    private var quantization: String {
        if let other { return "\"quant_method\": \"\(format)\", \(other)" }
        return """
            "quant_method": "compressed-tensors", "quantization_status": "compressed", "format": "\(format)",
             "ignore": \(ignore), "config_groups": \(groups)
            """
    }

    /// Writes two shards and an index.
    func write(to folder: TemporaryFolder) throws {
        try folder.write(
            """
            {\(members), "quantization_config": {\(quantization)}}
            """, to: "config.json")
        let names = tensors.keys.sorted()
        var map: [String] = []
        for (number, part) in [names[..<(names.count / 2)], names[(names.count / 2)...]].enumerated() {
            let file = "model-0000\(number + 1)-of-00002.safetensors"
            let chosen = part.compactMap { name in tensors[name].map { (name, $0) } }
            let header = try SafetensorsWriter.header(
                tensors: chosen.map { SafetensorsTensorInfo(name: $0.0, type: $0.1.type, shape: $0.1.shape) },
                metadata: metadata)
            try folder.write(header + chosen.flatMap(\.1.bytes), to: file)
            map += part.map { "\"\($0)\": \"\(file)\"" }
        }
        let size = totalSize ?? tensors.values.reduce(0) { $0 + $1.bytes.count }
        try folder.write(
            "{\"metadata\": {\"total_size\": \(size)}, \"weight_map\": {\(map.joined(separator: ", "))}}",
            to: "model.safetensors.index.json")
    }

    func faults() throws -> [CompressedFault] {
        let folder = try TemporaryFolder()
        try write(to: folder)
        return try CompressedCheck(try Checkpoint.open(path: folder.path)).faults()
    }
}
