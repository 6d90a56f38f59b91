import QuernFormats
import QuernKernels
import TestSupport
import Testing

/// What llm-compressor makes of small matrices: see Tests/Fixtures/compressed-tensors.
struct WeightFixture {
    static let sources: [SafetensorsType] = [.bf16, .f16, .f32]

    /// The formats there are fixtures for, by their names there.
    static let formats: [String: WeightFormat] = {
        var formats: [String: WeightFormat] = [
            "int8": .integer, "float": .float, "float_blocks": .floatBlocks, "nvfp4": .nvfp4, "mxfp4": .mxfp4,
        ]
        for isSymmetric in [true, false] {
            let ending = isSymmetric ? "sym" : "asym"
            for (bits, group) in [(4, 32), (4, 128), (8, 64)] {
                formats["int\(bits)_\(group)_\(ending)"] = .packed(bits: bits, group: group, isSymmetric: isSymmetric)
            }
            for bits in [4, 8] {
                formats["int\(bits)_channel_\(ending)"] = .packed(bits: bits, group: nil, isSymmetric: isSymmetric)
            }
        }
        return formats
    }()

    struct Matrix {
        let name: String
        let rows: [Float]
        let columns: Int
        let globalScale: Float?
        /// Those that depend on the rows.
        let components: [WeightComponent: [UInt8]]
    }

    let matrices: [Matrix]

    init(_ name: String, source: SafetensorsType) throws {
        let format = try #require(Self.formats[name])
        let file = try FileByteSource(
            path: Fixtures.path("compressed-tensors/\(source.rawValue.lowercased()).safetensors"))
        let header = try SafetensorsHeader.read(from: file)
        func bytes(_ tensor: SafetensorsTensor) throws -> [UInt8] {
            try file.bytes(at: tensor.offset, count: Int(tensor.length))
        }
        func floats(_ tensor: SafetensorsTensor) throws -> [Float] {
            let type = try #require(tensor.type.elementType)
            return decode(type, try bytes(tensor), with: .plain)
        }
        matrices = try header.tensors.filter { !$0.name.contains(".") }.compactMap { matrix -> Matrix? in
            var components: [WeightComponent: [UInt8]] = [:]
            var globalScale: Float?
            for component in format.components where component != .shape {
                let wanted = "\(matrix.name).\(name).\(component.rawValue)"
                guard let tensor = header.tensors.first(where: { $0.name == wanted }) else { return nil }
                if component == .globalScale {
                    globalScale = try floats(tensor).first
                } else {
                    components[component] = try bytes(tensor)
                }
            }
            return Matrix(
                name: matrix.name, rows: try floats(matrix), columns: matrix.shape[1], globalScale: globalScale,
                components: components)
        }
    }
}
