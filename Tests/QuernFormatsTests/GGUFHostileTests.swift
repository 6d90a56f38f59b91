import QuernFormats
import TestSupport
import Testing

struct GGUFHostileTests {
    private func error(_ builder: ByteBuilder) throws -> QuernError {
        let error = try #require(quernError { try GGUFHeaderTests.read(builder) })
        #expect(error.location.hasPrefix("m.gguf"))
        return error
    }

    @Test(arguments: [
        (ByteBuilder().raw("GGML".utf8).zeros(60), QuernError.Code.invalidInput, "not a GGUF file"),
        (ByteBuilder(), .invalidInput, "ends inside the header"),
        (ByteBuilder().raw("GGUF".utf8), .invalidInput, "ends inside"),
        (.gguf(version: 1), .unsupported, "GGUF version 1"), (.gguf(version: 4), .unsupported, "GGUF version 4"),
        (.gguf(version: 0), .unsupported, "GGUF version 0"), (.gguf(version: 0x0300_0000), .unsupported, "big-endian"),
        (.gguf(tensors: 1 << 60), .invalidInput, "1152921504606846976 tensors"),
        (.gguf(tensors: .max), .invalidInput, "18446744073709551615 tensors"),
        (.gguf(tensors: 10).zeros(239), .invalidInput, "10 tensors, which neither the file"),
        (.gguf(keys: 1 << 60), .invalidInput, "1152921504606846976 key-values"),
        (.gguf(keys: 65_537).zeros(1_000_000), .invalidInput, "limit of 65536"),
        (.gguf(keys: 1).u64(1 << 63).zeros(100), .invalidInput, "a key of 9223372036854775808 bytes"),
        (.gguf(keys: 1).u64(60).zeros(20), .invalidInput, "a key of 60 bytes goes beyond"),
        (.gguf(keys: 1).u64(1).raw([0xFF]).zeros(20), .invalidInput, "a key is no valid UTF-8"),
        (.gguf(keys: 2).string("k").u32(0).raw([1]).string("k").u32(0).raw([1]), .invalidInput, "duplicate key 'k'"),
        (.gguf(keys: 1).string("k").u32(13).zeros(20), .unsupported, "unknown value type 13"),
        (
            .gguf(keys: 1).string("k").u32(8).u64(1 << 60).zeros(20), .invalidInput,
            "a string of 1152921504606846976 bytes"
        ),
        (.gguf(keys: 1).string("k").u32(8).u64(21).zeros(20), .invalidInput, "a string of 21 bytes goes beyond"),
        (.gguf(keys: 1).string("k").u32(7).raw([2]), .invalidInput, "a boolean of value 2"),
        (.gguf(keys: 1).string("k").u32(9).u32(7).u64(2).raw([0, 3]), .invalidInput, "a boolean of value 3"),
        (
            .gguf(keys: 1).string("k").u32(9).u32(4).u64(1 << 60).zeros(20), .invalidInput,
            "array of 1152921504606846976 elements"
        ),
        (
            .gguf(keys: 1).string("k").u32(9).u32(12).u64(.max).zeros(20), .invalidInput,
            "array of 18446744073709551615 elements"
        ),
        (.gguf(keys: 1).string("k").u32(9).u32(4).u64(6).zeros(20), .invalidInput, "array of 6 elements goes beyond"),
        (.gguf(keys: 1).string("k").u32(9).u32(8).u64(3).zeros(20), .invalidInput, "array of 3 elements goes beyond"),
        (.gguf(keys: 1).string("k").u32(9).u32(8).u64(1 << 60).zeros(20), .invalidInput, "at most 4194304"),
        (.gguf(keys: 1).string("k").u32(9).u32(99).u64(0), .unsupported, "unknown value type 99"),
        (.gguf(tensors: 1).u64(2000).zeros(3000), .invalidInput, "a tensor name of 2000 bytes"),
        (.gguf(tensors: 1).u64(1).raw([0xFE]).zeros(30), .invalidInput, "a tensor name is no valid UTF-8"),
    ])
    func structure(builder: ByteBuilder, code: QuernError.Code, message: String) throws {
        let error = try error(builder)
        #expect(error.code == code && error.message.contains(message), "\(error)")
    }

    @Test func nestedArraysAreCapped() throws {
        func nested(_ depth: Int) -> ByteBuilder {
            let outer = (1..<depth).reduce(ByteBuilder.gguf(keys: 1).string("k").u32(9)) { builder, _ in
                builder.u32(9).u64(1)
            }
            return outer.u32(0).u64(1).raw([5])
        }
        #expect(try GGUFHeaderTests.read(nested(4))["k"] == .array(.array([.array([.array([.uint8([5])])])])))
        let error = try error(nested(5))
        #expect(error.message == "arrays nested more than 4 deep" && error.location.contains("key 'k'"))
        #expect(try self.error(nested(10_000)).message == "arrays nested more than 4 deep")
    }

    /// One or two tensors over 64 bytes of data.
    @Test(arguments: [
        (ByteBuilder().tensor("t", [1, 1, 1, 1, 1]), "rank 5"), (ByteBuilder().tensor("t", [0]), "a dimension of 0"),
        (ByteBuilder().tensor("t", [.max]), "a dimension of -1"),
        (ByteBuilder().tensor("t", [1 << 63, 1]), "a dimension of"),
        (ByteBuilder().tensor("t", [1 << 32, 1 << 32]), "too many elements"),
        (ByteBuilder().tensor("t", [1 << 61]), "too many"),
        (ByteBuilder().tensor("t", [33], type: 2), "end inside a block of 32"),
        (ByteBuilder().tensor("t", [17]), "beyond the end"),
        (ByteBuilder().tensor("t", [1], offset: 64), "beyond the end"),
        (ByteBuilder().tensor("t", [1], offset: 1 << 62), "beyond"),
        (ByteBuilder().tensor("t", [1], offset: .max - 31), "beyond the end"),
        (ByteBuilder().tensor("t", [1], offset: 16), "not aligned"),
    ])
    func oneTensor(description: ByteBuilder, message: String) throws {
        let error = try error(ByteBuilder.gguf(tensors: 1).raw(description.bytes).padded().zeros(64))
        #expect(error.code == .invalidInput && error.location.contains("tensor 't'"))
        #expect(error.message.contains(message), "\(error)")
    }

    @Test(arguments: [4, 5, 31, 36, 9, 15, 43, 1 << 31] as [UInt32])
    func unknownElementTypes(id: UInt32) throws {
        let error = try error(ByteBuilder.gguf(tensors: 1).tensor("odd", [32], type: id).padded().zeros(64))
        #expect(error.code == .unsupported && error.message == "unknown element type \(id)")
        #expect(error.location.contains("tensor 'odd'"))
    }

    @Test(arguments: [
        (ByteBuilder().tensor("a", [16]).tensor("b", [1], offset: 32), "overlap"),
        (ByteBuilder().tensor("a", [1]).tensor("b", [1]), "overlap"),
        (ByteBuilder().tensor("a", [1]).tensor("a", [1], offset: 32), "two tensors of one name"),
        (ByteBuilder().tensor("\u{e9}", [1]).tensor("e\u{301}", [1], offset: 32), "two tensors of one name"),
    ])
    func twoTensors(descriptions: ByteBuilder, message: String) throws {
        let error = try error(ByteBuilder.gguf(tensors: 2).raw(descriptions.bytes).padded().zeros(64))
        #expect(error.message.contains(message), "\(error)")
    }

    @Test(arguments: [0, 1, 3, 4, 24, 33] as [UInt32])
    func alignments(alignment: UInt32) throws {
        let error = try error(.gguf(keys: 1).string("general.alignment").u32(4).u32(alignment))
        #expect(error.location == "m.gguf: general.alignment" && error.message.hasPrefix("\(alignment),"))
    }

    @Test func alignmentOfAnotherType() throws {
        #expect(try error(.gguf(keys: 1).string("general.alignment").u32(8).string("32")).message.hasPrefix("'32',"))
    }

    @Test func everyPrefixOfARealHeaderIsRefused() throws {
        let bytes = try Fixtures.bytes("gguf/granite-header.gguf")
        for count in stride(from: 0, to: 13_000, by: 37) {
            let source = MemoryByteSource(Array(bytes.prefix(count)))
            #expect(
                quernError { try GGUFHeader.read(from: source, requiringData: false) }?.code == .invalidInput,
                "\(count)")
        }
    }
}
