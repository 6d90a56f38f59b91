import Foundation
import QuernFormats
import QuernKernels
import TestSupport

/// A small model with random weights that is written twice: quantized, and with the values that loaders compute.
final class QuantizedCheckpoint {
    struct Stored {
        var type: SafetensorsType
        var shape: [Int]
        var bytes: [UInt8]
    }

    private let folder: TemporaryFolder
    private let family: String
    private var values: [String: [Float]] = [:]
    private var shapes: [String: [Int]] = [:]
    /// As they are written, by name.
    var tensors: [String: Stored] = [:]
    /// The same in plain values.
    private var plain: [String: Stored] = [:]

    init(_ family: String) throws {
        self.family = family
        folder = try TemporaryFolder()
        var random = SeededGenerator(seed: 11)
        let header = try Fixtures.bytes("checkpoints/\(family)/model.safetensors.header")
        let json = try JSONValue.parse(Array(header[8...])).object ?? JSONObject()
        for (name, entry) in json.entries where name != "__metadata__" {
            let shape = entry.object?["shape"]?.array?.compactMap(\.integer).map(Int.init) ?? []
            shapes[name] = shape
            values[name] = (0..<shape.reduce(1, *)).map { _ in
                Self.brain(Float.random(in: -1...1, using: &random) * Float.random(in: 0...0.2, using: &random))
            }
            tensors[name] = Stored(
                type: .bf16, shape: shape,
                bytes: (values[name] ?? []).flatMap { Self.bytes($0.bitPattern >> 16, 2) })
        }
        plain = tensors
    }

    /// Layers of blocks, in the order of their names.
    var layers: [String] {
        tensors.keys.filter { $0.hasSuffix("_proj.weight") }.map { String($0.dropLast(".weight".count)) }.sorted()
    }

    /// Puts the components of a layer in place of its weights.
    /// - Parameters:
    ///   - hasOneScale: whether the scale of the first row stands for all.
    ///   - scales: of F32 in place of BF16, under this name.
    func quantize(_ layer: String, _ storage: WeightStorage, hasOneScale: Bool = false, scales: String? = nil) throws {
        let name = "\(layer).weight"
        guard let shape = shapes[name], let values = values[name] else { return }
        let (rows, columns) = (shape[0], shape[1])
        let (format, offset) = (storage.numbers, Float(0.01))
        let source = storage.scaleType(source: scales == nil ? .bf16 : .f32)
        let global: Float? = format == .nvfp4 ? 1234.5 : nil
        var components = ReferenceWeights.quantize(
            format, source: source, rows: values, columns: columns, globalScale: global)
        if hasOneScale, let scale = components[.scale]?.prefix(source.bits / 8) {
            components[.scale] = (0..<rows).flatMap { _ in scale }
        }
        components = Kernels.stored(storage, components, rows: rows, columns: columns, offset: offset)
        let decoded = ReferenceWeights.dequantize(
            format, source: source,
            components: Kernels.numbers(storage, components, rows: rows, columns: columns, offset: offset), rows: rows,
            columns: columns, globalScale: global)
        plain[name] = Stored(type: .f32, shape: shape, bytes: decoded.flatMap { Self.bytes($0.bitPattern, 4) })
        components[.shape] = [rows, columns].flatMap { Self.bytes(UInt64($0), 8) }
        components[.globalScale] = global.map { Self.bytes($0.bitPattern, 4) }
        let group = format.group ?? columns
        components[.groupIndex] = (0..<columns).flatMap { Self.bytes(UInt32($0 / group), 4) }
        components[.codes] = NF4.codes.flatMap { Self.bytes($0.bitPattern, 4) }
        components[.magnitudeCodes] = NF4.magnitudeCodes.flatMap { Self.bytes($0.bitPattern, 4) }
        components[.weightFormat] = [0]
        let state = """
            {"quant_type": "nf4", "blocksize": 64, "shape": [\(rows), \(columns)], "nested_blocksize": 256,
            "nested_offset": \(Double(offset))}
            """
        components[.state] = Array((state + String(repeating: " ", count: 256 - state.utf8.count)).utf8)
        tensors[name] = nil
        for component in storage.components {
            let isOne = component == .scale && hasOneScale
            let type = storage.type(of: component, source: source)
            let stored = Stored(
                type: type, shape: isOne ? [1] : storage.shape(of: component, rows: rows, columns: columns),
                bytes: Array((components[component] ?? []).prefix(isOne ? type.bits / 8 : .max)))
            let last = component == .scale ? scales ?? component.rawValue : component.rawValue
            tensors["\(layer).\(last)"] = stored
        }
    }

    /// Writes the quantized folder.
    /// - Parameter config: `quantization_config`, JSON.
    /// - Returns: its path.
    func write(_ config: String) throws -> String { try write("quantized/model", tensors, config) }

    /// Writes the folder with plain values.
    func writePlain() throws -> String { try write("plain/model", plain, nil) }

    private func write(_ name: String, _ tensors: [String: Stored], _ config: String?) throws -> String {
        for file in try FileManager.default.contentsOfDirectory(atPath: Fixtures.path("checkpoints/\(family)")) {
            guard file.hasSuffix(".json") else { continue }
            var text = String(decoding: try Fixtures.bytes("checkpoints/\(family)/\(file)"), as: UTF8.self)
            if file == "config.json", let config, let brace = text.firstIndex(of: "{") {
                text.insert(contentsOf: "\n\"quantization_config\": \(config),", at: text.index(after: brace))
            }
            try folder.write(text, to: "\(name)/\(file)")
        }
        let ordered = tensors.sorted { $0.key < $1.key }
        var bytes = try SafetensorsWriter.header(
            tensors: ordered.map { SafetensorsTensorInfo(name: $0.key, type: $0.value.type, shape: $0.value.shape) })
        for (_, tensor) in ordered { bytes += tensor.bytes }
        try folder.write(bytes, to: "\(name)/model.safetensors")
        return folder.path(name)
    }

    private static func brain(_ value: Float) -> Float { Float(bitPattern: value.bitPattern & 0xffff_0000) }

    static func bytes(_ value: some FixedWidthInteger, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }
}
