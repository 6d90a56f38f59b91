import QuernFormats
import TestSupport
import Testing

struct GGUFHeaderTests {
    static func read(_ builder: ByteBuilder) throws -> GGUFHeader {
        try GGUFHeader.read(from: MemoryByteSource(builder.bytes, name: "m.gguf"))
    }

    /// The header that a converter wrote, cut off where tensor data begin.
    @Test func aRealHeader() throws {
        let bytes = try Fixtures.bytes("gguf/granite-header.gguf")
        let header = try GGUFHeader.read(from: MemoryByteSource(bytes), requiringData: false)
        #expect(header.metadata.count == 32 && header.tensors.count == 20)
        #expect(header.alignment == 32 && header.dataOffset == 13472)
        #expect(
            header.metadata[0].key == "general.architecture" && header["general.architecture"] == .string("granite"))
        #expect(header["granite.block_count"] == .uint32(2))
        #expect(header["granite.rope.freq_base"] == .float32(10_000_000))
        #expect(header["tokenizer.ggml.add_bos_token"] == .bool(false))
        #expect(header["tokenizer.ggml.tokens"]?.strings?.prefix(3) == ["<|end_of_text|>", "!", "\""])
        #expect(header["tokenizer.ggml.merges"]?.strings?.count == 255)
        #expect(header["none"] == nil)
        #expect(
            header.tensors.prefix(3) == [
                GGUFTensor(name: "token_embd.weight", shape: [256, 512], type: .bf16, offset: 13472, bytes: 262_144),
                GGUFTensor(name: "blk.0.attn_norm.weight", shape: [256], type: .f32, offset: 275_616, bytes: 1024),
                GGUFTensor(
                    name: "blk.0.ffn_down.weight", shape: [256, 256], type: .bf16, offset: 276_640, bytes: 131_072),
            ])
        let error = try #require(quernError { try GGUFHeader.read(from: MemoryByteSource(bytes, name: "m.gguf")) })
        #expect(error.message == "its bytes go beyond the end of the file")
        #expect(error.location == "m.gguf: tensor 'token_embd.weight'")
    }

    @Test func writingARealHeaderGivesItsBytes() throws {
        let bytes = try Fixtures.bytes("gguf/granite-header.gguf")
        let header = try GGUFHeader.read(from: MemoryByteSource(bytes), requiringData: false)
        let tensors = header.tensors.map {
            GGUFTensorInfo(name: $0.name, shape: $0.shape, type: $0.type, offset: $0.offset - header.dataOffset)
        }
        #expect(GGUFHeaderWriter.bytes(metadata: header.metadata, tensors: tensors) == bytes)
    }

    @Test(arguments: [2, 3] as [UInt32])
    func everyKindOfValue(version: UInt32) throws {
        let builder = ByteBuilder.gguf(version: version, keys: 15)
            .string("u8").u32(0).number(UInt8(200)).string("i8").u32(1).number(Int8(-100))
            .string("u16").u32(2).number(UInt16(60_000)).string("i16").u32(3).number(Int16(-30_000))
            .string("u32").u32(4).u32(4_000_000_000).string("i32").u32(5).i32(-2_000_000_000)
            .string("f32").u32(6).f32(-0.5).string("bool").u32(7).raw([1]).string("string").u32(8).string("é")
            .string("u64").u32(10).u64(.max).string("i64").u32(11).number(Int64.min)
            .string("f64").u32(12).number((0.1).bitPattern)
            .string("bytes").u32(8).u64(2).raw([0xFF, 0x00])
            .string("strings").u32(9).u32(8).u64(2).string("a").string("")
            .string("nested").u32(9).u32(9).u64(2).u32(4).u64(1).u32(7).u32(7).u64(2).raw([0, 1])
        let header = try Self.read(builder)
        let expected: [(String, GGUFValue)] = [
            ("u8", .uint8(200)), ("i8", .int8(-100)), ("u16", .uint16(60_000)), ("i16", .int16(-30_000)),
            ("u32", .uint32(4_000_000_000)), ("i32", .int32(-2_000_000_000)), ("f32", .float32(-0.5)),
            ("bool", .bool(true)), ("string", .string("é")), ("u64", .uint64(.max)), ("i64", .int64(.min)),
            ("f64", .float64(0.1)), ("bytes", .string(GGUFString(utf8: [0xFF, 0]))),
            ("strings", .array(.string(["a", ""]))), ("nested", .array(.array([.uint32([7]), .bool([false, true])]))),
        ]
        #expect(header.metadata.map(\.key) == expected.map(\.0))
        #expect(header.metadata.map(\.value) == expected.map(\.1))
        #expect(header.tensors.isEmpty && header.alignment == 32)
    }

    @Test func alignmentAndPaddingBetweenTensors() throws {
        let builder = ByteBuilder.gguf(tensors: 3, keys: 1).string("general.alignment").u32(4).u32(64)
            .tensor("b", [3], offset: 64).tensor("a", [], offset: 0).tensor("q", [32, 2], type: 8, offset: 192).padded(
                to: 64)
        let header = try Self.read(builder.zeros(192 + 68))
        let data = UInt64(builder.bytes.count)
        #expect(header.alignment == 64 && header.dataOffset == data)
        #expect(
            header.tensors == [
                GGUFTensor(name: "b", shape: [3], type: .f32, offset: data + 64, bytes: 12),
                GGUFTensor(name: "a", shape: [1], type: .f32, offset: data, bytes: 4),
                GGUFTensor(name: "q", shape: [32, 2], type: .q8_0, offset: data + 192, bytes: 68),
            ])
    }

    @Test(arguments: [
        (ElementType.q4_K, [256, 3], UInt64?.some(432)), (.q4_K, [128, 2], nil), (.f32, [], 4),
        (.bf16, [3, 5, 7], 210),
        (.f32, [1, -1], nil), (.f32, [1 << 62], nil), (.i8, [1 << 32, 1 << 32], nil),
        (.i8, [1, 1 << 32, 1 << 32], nil),
        (.nvfp4, [64], 36), (.q1_0, [128], 18), (.mxfp4, [32], 17),
    ])
    func bytes(type: ElementType, shape: [Int], expected: UInt64?) {
        #expect(type.bytes(shape: shape) == expected)
    }

    @Test func headersLargerThanTheBuffer() throws {
        let long = String(repeating: "x", count: 3 << 20)
        let strings = (0..<200_000).map { GGUFString("token \($0)") }
        let numbers = (0..<400_000).map { Float($0) }
        let metadata: [(key: String, value: GGUFValue)] = [
            ("long", .string(long)), ("strings", .array(.string(strings))), ("numbers", .array(.float32(numbers))),
            ("last", .uint8(1)),
        ]
        let bytes = GGUFHeaderWriter.bytes(metadata: metadata, tensors: [])
        let header = try GGUFHeader.read(from: MemoryByteSource(bytes))
        #expect(header.metadata.map(\.value) == metadata.map(\.value))
    }
}
