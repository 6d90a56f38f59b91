/// A tensor as the header of a file to be written describes it.
public struct GGUFTensorInfo: Sendable, Equatable {
    public let name: String
    /// Innermost dimension first; rank 1 to 4.
    public let shape: [Int]
    public let type: ElementType
    /// From the beginning of the data section; a multiple of the alignment.
    public let offset: UInt64

    public init(name: String, shape: [Int], type: ElementType, offset: UInt64) {
        self.name = name
        self.shape = shape
        self.type = type
        self.offset = offset
    }
}

/// Writes GGUF version 3 headers. Equal arguments give equal bytes.
public enum GGUFHeaderWriter {
    /// The bytes of a header, zero-padded to `alignment`, so that tensor data may follow at once.
    /// - Parameters:
    ///   - metadata: in the order in which it is written. `general.alignment` must be there where `alignment` is not
    ///     the default; that is the caller's to see to.
    ///   - alignment: a power of two, at least 8.
    public static func bytes(
        metadata: [(key: String, value: GGUFValue)], tensors: [GGUFTensorInfo],
        alignment: Int = GGUFHeader.defaultAlignment
    ) -> [UInt8] {
        precondition(alignment >= 8 && alignment & (alignment - 1) == 0, "alignment must be a power of two from 8 on")
        var output = Output()
        output.append(GGUFHeader.magic)
        output.append(UInt32(3))
        output.append(UInt64(tensors.count))
        output.append(UInt64(metadata.count))
        for (key, value) in metadata {
            output.append(GGUFString(key))
            output.append(value)
        }
        for tensor in tensors {
            output.append(GGUFString(tensor.name))
            output.append(UInt32(tensor.shape.count))
            for dimension in tensor.shape { output.append(UInt64(dimension)) }
            output.append(tensor.type.rawValue)
            output.append(tensor.offset)
        }
        let padding = -output.bytes.count & (alignment - 1)
        output.bytes.append(contentsOf: repeatElement(0, count: padding))
        return output.bytes
    }

    /// Where the value of a key stands in a header of these metadata, behind its type; nil where the key is missing.
    public static func valueOffset(of key: String, in metadata: [(key: String, value: GGUFValue)]) -> Int? {
        guard let place = metadata.firstIndex(where: { $0.key == key }) else { return nil }
        var output = Output()
        for (key, value) in metadata[..<place] {
            output.append(GGUFString(key))
            output.append(value)
        }
        output.append(GGUFString(key))
        // Magic, version and two counts come before, the type of the value after.
        return 24 + output.bytes.count + 4
    }

    private struct Output {
        var bytes: [UInt8] = []

        mutating func append(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }

        mutating func append(_ string: GGUFString) {
            append(UInt64(string.utf8.count))
            bytes.append(contentsOf: string.utf8)
        }

        mutating func append(_ type: GGUFValueType) { append(type.rawValue) }

        mutating func append(_ value: GGUFValue) {
            switch value {
            case .uint8(let value): append(.uint8, value)
            case .int8(let value): append(.int8, value)
            case .uint16(let value): append(.uint16, value)
            case .int16(let value): append(.int16, value)
            case .uint32(let value): append(.uint32, value)
            case .int32(let value): append(.int32, value)
            case .float32(let value): append(.float32, value.bitPattern)
            case .bool(let value): append(.bool, UInt8(value ? 1 : 0))
            case .string(let value):
                append(GGUFValueType.string)
                append(value)
            case .uint64(let value): append(.uint64, value)
            case .int64(let value): append(.int64, value)
            case .float64(let value): append(.float64, value.bitPattern)
            case .array(let value):
                append(GGUFValueType.array)
                append(value)
            }
        }

        private mutating func append(_ type: GGUFValueType, _ value: some FixedWidthInteger) {
            append(type)
            append(value)
        }

        private mutating func append(_ array: GGUFArray) {
            switch array {
            case .uint8(let values): append(.uint8, values)
            case .int8(let values): append(.int8, values)
            case .uint16(let values): append(.uint16, values)
            case .int16(let values): append(.int16, values)
            case .uint32(let values): append(.uint32, values)
            case .int32(let values): append(.int32, values)
            case .float32(let values): append(.float32, values.map(\.bitPattern))
            case .bool(let values): append(.bool, values.map { UInt8($0 ? 1 : 0) })
            case .uint64(let values): append(.uint64, values)
            case .int64(let values): append(.int64, values)
            case .float64(let values): append(.float64, values.map(\.bitPattern))
            case .string(let values):
                append(GGUFValueType.string)
                append(UInt64(values.count))
                for value in values { append(value) }
            case .array(let values):
                append(GGUFValueType.array)
                append(UInt64(values.count))
                for value in values { append(value) }
            }
        }

        private mutating func append(_ type: GGUFValueType, _ values: [some FixedWidthInteger]) {
            append(type)
            append(UInt64(values.count))
            for value in values { append(value) }
        }
    }
}
