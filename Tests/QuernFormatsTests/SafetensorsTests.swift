import QuernFormats
import TestSupport
import Testing

struct SafetensorsTests {
    static func read(_ header: String, data: Int = 0) throws -> SafetensorsHeader {
        try SafetensorsHeader.read(
            from: MemoryByteSource(ByteBuilder.safetensors(header, data: data).bytes, name: "m.st"))
    }

    /// The header of two F32 tensors of rank 1 from these begins to these ends.
    static func two(_ first: String, _ range: [Int], _ second: String, _ other: [Int]) -> String {
        let entries = [(first, range), (second, other)].map { name, range in
            #""\#(name)":{"dtype":"F32","shape":[\#((range[1] - range[0]) / 4)],"data_offsets":\#(range)}"#
        }
        return "{\(entries.joined(separator: ","))}"
    }

    @Test func tensorsComeInTheOrderOfTheirBytes() throws {
        let text = """
            {"__metadata__":{"format":"pt","empty":""},
             "b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},
             "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},
             "none":{"dtype":"F16","shape":[0,7],"data_offsets":[16,16]},
             "c":{"data_offsets":[16,24],"dtype":"I64","shape":[1]}}     
            """
        let header = try Self.read(text, data: 24)
        let data = UInt64(8 + text.utf8.count)
        #expect(header.metadata == ["format": "pt", "empty": ""])
        #expect(
            header.tensors == [
                SafetensorsTensor(name: "a", type: .f32, shape: [], offset: data, length: 4),
                SafetensorsTensor(name: "b", type: .bf16, shape: [2, 3], offset: data + 4, length: 12),
                SafetensorsTensor(name: "none", type: .f16, shape: [0, 7], offset: data + 16, length: 0),
                SafetensorsTensor(name: "c", type: .i64, shape: [1], offset: data + 16, length: 8),
            ])
    }

    @Test func aFileWithoutTensors() throws {
        let header = try Self.read("{}")
        #expect(header.tensors.isEmpty && header.metadata.isEmpty)
    }

    @Test(arguments: [
        (SafetensorsType.f4, [3, 2], UInt64?.some(3)), (.f4, [3], nil), (.f6_E2M3, [4], 3), (.f6_E3M2, [2, 2], 3),
        (.f6_E2M3, [2], nil), (.f8_E4M3, [5], 5), (.f8_E5M2, [5], 5), (.f8_E8M0, [5], 5), (.bool, [5], 5),
        (.c64, [2], 16), (.u64, [2], 16), (.f32, [], 4), (.f32, [-1], nil), (.f32, [1 << 40, 1 << 40], nil),
        (.f32, [Int.max], nil), (.u8, [1 << 60], 1 << 60), (.u8, [0, Int.max], 0),
    ])
    func bytes(type: SafetensorsType, shape: [Int], expected: UInt64?) {
        #expect(type.bytes(shape: shape) == expected)
    }

    @Test(arguments: SafetensorsType.allCases)
    func everyTypeIsRead(type: SafetensorsType) throws {
        let bytes = type.bits
        let header = try Self.read(
            #"{"t":{"dtype":"\#(type.rawValue)","shape":[2,4],"data_offsets":[0,\#(bytes)]}}"#, data: bytes)
        #expect(header.tensors.map(\.type) == [type])
        if let element = type.elementType {
            #expect(element.blockBytes * 8 == type.bits && element.description == type.rawValue)
        }
    }

    @Test(arguments: [
        (UInt64(1) << 63, "9223372036854775808"), (UInt64.max, "18446744073709551615"), (100_000_001, "100000001"),
        (100_000_000, "file of 10"), (3, "file of 10"),
    ])
    func headerLengths(length: UInt64, message: String) throws {
        let source = MemoryByteSource(ByteBuilder().u64(length).raw("{}".utf8).bytes, name: "m.st")
        let error = try #require(quernError { try SafetensorsHeader.read(from: source) })
        #expect(error.code == .invalidInput && error.location == "m.st")
        #expect(error.message.contains(message), "\(error)")
    }

    @Test(arguments: 0..<8)
    func shorterThanALength(count: Int) throws {
        let source = MemoryByteSource([UInt8](repeating: 0, count: count), name: "m.st")
        #expect(quernError { try SafetensorsHeader.read(from: source) }?.code == .invalidInput)
    }

    /// One tensor of four bytes, broken in one way; `data` bytes follow the header.
    @Test(arguments: [
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 3, "beyond the file"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 5, "1 bytes at the end"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}"#, 5, "1 bytes before it"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "data_offsets"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, 4, "data_offsets"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#, 8, "data_offsets"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4, "data_offsets must hold"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,9223372036854775807]}}"#, 4, "beyond the file"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}}"#, 4, "data_offsets must hold"),
        (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "takes 8"),
        (#"{"t":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "shape must hold"),
        (#"{"t":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, 4, "shape must hold"),
        (#"{"t":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#, 4, "countable"),
        (#"{"t":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}"#, 1, "whole"),
        (#"{"t":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}"#, 4, "rank 17"),
        (#"{"t":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}}"#, 4, "shape must hold"),
        (#"{"t":{"dtype":"F32","data_offsets":[0,4]}}"#, 4, "shape is missing"),
        (#"{"t":{"shape":[1],"data_offsets":[0,4]}}"#, 4, "dtype is missing"),
        (#"{"t":{"dtype":"F32","shape":[1]}}"#, 4, "data_offsets is missing"),
        (#"{"t":[1]}"#, 0, "an array"),
        (two("t", [0, 4], "t", [4, 8]), 8, "duplicate key 't'"),
        (two("t", [0, 8], "u", [4, 12]), 12, "overlap"),
        (two("t", [0, 4], "u", [0, 4]), 4, "overlap"),
        (two("t", [0, 4], "u", [8, 12]), 12, "4 bytes before it"),
        (two("\u{e9}", [0, 0], "e\u{301}", [0, 0]), 0, "one name"),
        (#"{"__metadata__":{"n":1}}"#, 0, "only strings"), (#"{"__metadata__":"x"}"#, 0, "a string"),
        (#"{"t":{"dtype":"F32","shape":[[[[1]]]],"data_offsets":[0,4]}}"#, 4, "nested more than 4"),
        (#"{"t":{"#, 0, "end of the text"), (#" {}"#, 0, "'{'"), ("", 0, "'{'"), ("[]", 0, "'{'"),
    ])
    func broken(header: String, data: Int, message: String) throws {
        let error = try #require(quernError { try Self.read(header, data: data) })
        #expect(error.code == .invalidInput && error.location.hasPrefix("m.st"))
        #expect(error.message.contains(message), "\(error)")
    }

    @Test(arguments: [
        (#"{"t":{"dtype":"F3","shape":[1],"data_offsets":[0,4]}}"#, "unknown element type 'F3'"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"strides":[1]}}"#, "unknown field 'strides'"),
    ])
    func unknown(header: String, message: String) throws {
        let error = try #require(quernError { try Self.read(header, data: 4) })
        #expect(error == QuernError(.unsupported, message, at: "m.st: tensor 't'"))
    }

    @Test func namesAreCapped() throws {
        func header(_ length: Int) -> String {
            #"{"\#(String(repeating: "n", count: length))":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#
        }
        #expect(throws: Never.self) { try Self.read(header(1024)) }
        #expect(quernError { try Self.read(header(1025)) }?.message == "a name of more than 1024 bytes")
    }
}
