import QuernFormats
import TestSupport
import Testing

/// Whatever is written is read back, and written again gives the same bytes.
struct GGUFPropertyTests {
    @Test(arguments: 0..<200)
    func roundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let alignment = [8, 16, 32, 64, 4096][Int(seed % 5)]
        var metadata: [(key: String, value: GGUFValue)] = (0..<Int.random(in: 0..<12, using: &generator)).map {
            ("key.\($0)", Self.value(using: &generator))
        }
        if alignment != 32 { metadata.append(("general.alignment", .uint32(UInt32(alignment)))) }
        var tensors: [GGUFTensorInfo] = []
        var end: UInt64 = 0
        for index in 0..<Int.random(in: 0..<12, using: &generator) {
            let type = ElementType.allCases.randomElement(using: &generator) ?? .f32
            var shape = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
                Int.random(in: 1...5, using: &generator)
            }
            shape[0] *= type.blockSize
            tensors.append(GGUFTensorInfo(name: "blk.\(index).wëight", shape: shape, type: type, offset: end))
            let bytes = try #require(type.bytes(shape: shape))
            end += (bytes + UInt64(alignment) - 1) & ~UInt64(alignment - 1)
        }

        let bytes = GGUFHeaderWriter.bytes(metadata: metadata, tensors: tensors, alignment: alignment)
        #expect(bytes.count % alignment == 0)
        let header = try GGUFHeader.read(from: MemoryByteSource(bytes + [UInt8](repeating: 0, count: Int(end))))
        #expect(header.alignment == alignment && header.dataOffset == UInt64(bytes.count))
        let read = header.tensors.map {
            GGUFTensorInfo(name: $0.name, shape: $0.shape, type: $0.type, offset: $0.offset - header.dataOffset)
        }
        #expect(read == tensors)
        #expect(header.metadata.map(\.key) == metadata.map(\.key))
        #expect(GGUFHeaderWriter.bytes(metadata: header.metadata, tensors: read, alignment: alignment) == bytes)
    }

    private static func value(using generator: inout SeededGenerator) -> GGUFValue {
        let bits = generator.next()
        return switch Int.random(in: 0..<13, using: &generator) {
        case 0: .uint8(UInt8(truncatingIfNeeded: bits))
        case 1: .int8(Int8(truncatingIfNeeded: bits))
        case 2: .uint16(UInt16(truncatingIfNeeded: bits))
        case 3: .int16(Int16(truncatingIfNeeded: bits))
        case 4: .uint32(UInt32(truncatingIfNeeded: bits))
        case 5: .int32(Int32(truncatingIfNeeded: bits))
        case 6: .float32(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
        case 7: .bool(bits & 1 == 1)
        case 8: .string(string(using: &generator))
        case 9: .uint64(bits)
        case 10: .int64(Int64(bitPattern: bits))
        case 11: .float64(Double(bitPattern: bits))
        default: .array(array(depth: 3, using: &generator))
        }
    }

    private static func array(depth: Int, using generator: inout SeededGenerator) -> GGUFArray {
        let bits = (0..<Int.random(in: 0..<5, using: &generator)).map { _ in generator.next() }
        switch Int.random(in: 0..<(depth > 0 ? 13 : 12), using: &generator) {
        case 0: return .uint8(bits.map { UInt8(truncatingIfNeeded: $0) })
        case 1: return .int8(bits.map { Int8(truncatingIfNeeded: $0) })
        case 2: return .uint16(bits.map { UInt16(truncatingIfNeeded: $0) })
        case 3: return .int16(bits.map { Int16(truncatingIfNeeded: $0) })
        case 4: return .uint32(bits.map { UInt32(truncatingIfNeeded: $0) })
        case 5: return .int32(bits.map { Int32(truncatingIfNeeded: $0) })
        case 6: return .float32(bits.map { Float(bitPattern: UInt32(truncatingIfNeeded: $0)) })
        case 7: return .bool(bits.map { $0 & 1 == 1 })
        case 8: return .string(bits.map { _ in string(using: &generator) })
        case 9: return .uint64(bits)
        case 10: return .int64(bits.map { Int64(bitPattern: $0) })
        case 11: return .float64(bits.map { Double(bitPattern: $0) })
        default: return .array(bits.map { _ in array(depth: depth - 1, using: &generator) })
        }
    }

    /// Any bytes: a vocabulary holds pieces of characters.
    private static func string(using generator: inout SeededGenerator) -> GGUFString {
        GGUFString(
            utf8: (0..<Int.random(in: 0..<9, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator)
            })
    }
}
