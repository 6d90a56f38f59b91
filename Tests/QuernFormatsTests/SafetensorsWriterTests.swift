import QuernFormats
import TestSupport
import Testing

struct SafetensorsWriterTests {
    @Test func headerBytes() throws {
        let header = try SafetensorsWriter.header(
            tensors: [
                SafetensorsTensorInfo(name: "b", type: .f32, shape: [2, 3]),
                SafetensorsTensorInfo(name: "a\"\n", type: .i64, shape: []),
            ], metadata: ["z": "1", "k": "\\"])
        let json =
            #"{"__metadata__":{"k":"\\","z":"1"},"b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"#
            + #""a\"\u000a":{"dtype":"I64","shape":[],"data_offsets":[24,32]}}"#
        let padded = json + String(repeating: " ", count: -json.utf8.count & 7)
        #expect(header == [UInt8(padded.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(padded.utf8))
    }

    @Test func whatIsWrittenIsRead() throws {
        let tensors = [
            SafetensorsTensorInfo(name: "blk.0.é\u{1}", type: .f64, shape: [1, 4]),
            SafetensorsTensorInfo(name: "empty", type: .u8, shape: [0]),
            SafetensorsTensorInfo(name: "c", type: .bf16, shape: [3]),
        ]
        let header = try SafetensorsWriter.header(tensors: tensors, metadata: ["k": "{\"v\": \"\\u0000\"}"])
        let read = try SafetensorsHeader.read(
            from: MemoryByteSource(header + [UInt8](repeating: 0, count: 38), name: "s"))
        #expect(read.metadata == ["k": "{\"v\": \"\\u0000\"}"])
        #expect(read.tensors.map(\.name) == tensors.map(\.name) && read.tensors.map(\.type) == tensors.map(\.type))
        #expect(read.tensors.map(\.offset) == [0, 32, 32].map { UInt64(header.count + $0) })
    }

    @Test(arguments: [
        [("a", [Int.max, 4])], [("a", [-1])], [("a", [1]), ("a", [1])], [("__metadata__", [1])],
        [("a", [Int.max / 8]), ("b", [Int.max / 8]), ("c", [Int.max / 8])],
    ])
    func whatHasNoPlaceIsRefused(tensors: [(String, [Int])]) {
        #expect(throws: QuernError.self) {
            try SafetensorsWriter.header(
                tensors: tensors.map { SafetensorsTensorInfo(name: $0.0, type: .f64, shape: $0.1) })
        }
    }
}
