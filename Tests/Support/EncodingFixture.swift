import QuernFormats

/// What the reference implementation makes of 31 hard rows of 512 values: see Tests/Fixtures/encodings.
///
/// Among the rows are normal and heavy-tailed values, single outliers, constants, zeros, subnormals and ties.
public struct EncodingFixture {
    /// The types there are fixtures for.
    public static let types: [ElementType] = [
        .f16, .bf16, .q8_0, .q4_0, .q4_1, .q5_0, .q5_1, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K,
        .iq2_xxs,
        .iq2_xs,
        .iq3_xxs,
        .iq1_s,
        .iq4_nl,
        .iq3_s,
        .iq2_s,
        .iq4_xs,
        .iq1_m,
        .tq1_0,
        .tq2_0,
        .mxfp4,
        .nvfp4,
        .q1_0,
        .q2_0,
    ]

    public static let columns = 512

    public struct Expected {
        /// The encoded rows, one after the other.
        public let bytes: [UInt8]
        public let decoded: [Float]

        fileprivate init(_ tensors: Tensors, _ name: String) throws {
            bytes = try tensors.bytes(name)
            decoded = try tensors.floats("\(name).decoded")
        }
    }

    public let rows: [Float]
    public let importance: [Float]
    /// Without importance; nil for the types that the reference implementation refuses to make then.
    public let plain: Expected?
    public let weighted: Expected

    public init(_ type: ElementType) throws {
        let input = try Tensors("input")
        rows = try input.floats("rows")
        importance = try input.floats("imatrix")
        let output = try Tensors(type.description.lowercased())
        plain = output.contains("plain") ? try Expected(output, "plain") : nil
        weighted = try Expected(output, "imatrix")
    }
}

/// The tensors of one safetensors file.
private struct Tensors {
    let file: FileByteSource
    let header: SafetensorsHeader

    init(_ name: String) throws {
        file = try FileByteSource(path: Fixtures.path("encodings/\(name).safetensors"))
        header = try SafetensorsHeader.read(from: file)
    }

    func contains(_ name: String) -> Bool { header.tensors.contains { $0.name == name } }

    func bytes(_ name: String) throws -> [UInt8] {
        guard let tensor = header.tensors.first(where: { $0.name == name }) else {
            throw QuernError(.notFound, "no tensor \(name)", at: file.name)
        }
        return try file.bytes(at: tensor.offset, count: Int(tensor.length))
    }

    func floats(_ name: String) throws -> [Float] {
        let bytes = try bytes(name)
        return bytes.withUnsafeBytes { raw in
            (0..<raw.count / 4).map {
                Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
            }
        }
    }
}
