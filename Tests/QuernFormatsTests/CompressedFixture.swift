import QuernFormats
import TestSupport

/// A folder of compressed-tensors in which every scale is 1, to be broken in one place.
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

    static let formats: [(key: String, format: WeightFormat, weights: String, inputs: String)] = [
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
    var ignore = #"["lm_head", "re:.*router"]"#
    var members = #""num_experts": 2"#
    var metadata = ["format": "pt"]
    /// The size that the index tells, in place of the right one.
    var totalSize: Int?

    /// Attention and two experts in one format, a head, a norm, a router and an embedding as they were.
    init(_ index: Int) throws {
        let (key, format, weights, inputs) = Self.formats[index]
        self.format = key
        groups = """
            {"group_0": {"targets": ["Linear"], "format": "\(key)", "input_activations": \(inputs),
             "weights": {\(weights), "dynamic": false}}}
            """
        for name in ["q_proj", "k_proj", "v_proj"] {
            try add("model.layers.0.self_attn.\(name)", format, rows: name == "q_proj" ? 160 : 64)
        }
        for expert in 0..<2 {
            for name in ["w1", "w3"] { try add("model.layers.0.mlp.experts.\(expert).\(name)", format, rows: 64) }
        }
        for name in ["model.embed_tokens", "lm_head", "model.layers.0.mlp.router"] {
            tensors["\(name).weight"] = Tensor(type: .f16, shape: [4, 256], bytes: Array(repeating: 0, count: 2048))
        }
        tensors["model.norm.weight"] = Tensor(type: .f16, shape: [256], bytes: Array(repeating: 0, count: 512))
    }

    private mutating func add(_ layer: String, _ format: WeightFormat, rows: Int) throws {
        let columns = 256
        for component in format.components {
            let type = format.type(of: component, source: .f16)
            let shape = format.shape(of: component, rows: rows, columns: columns)
            tensors["\(layer).\(component.rawValue)"] =
                component == .shape
                ? Tensor(type: type, shape: shape, bytes: [rows, columns].flatMap(Self.bytes))
                : Tensor(type: type, shape: shape, bytes: Self.ones(type, shape))
        }
        if format == .nvfp4 {
            tensors["\(layer).input_global_scale"] = Tensor(type: .f32, shape: [1], bytes: Self.ones(.f32, [1]))
        }
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

    /// Writes two shards and an index.
    func write(to folder: TemporaryFolder) throws {
        try folder.write(
            """
            {\(members), "quantization_config": {"quant_method": "compressed-tensors",
             "quantization_status": "compressed", "format": "\(format)", "ignore": \(ignore), "config_groups": \(groups)}}
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
