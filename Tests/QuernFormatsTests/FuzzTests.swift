import QuernFormats
import TestSupport
import Testing

/// Damaged files of every kind: each is read, or refused with an error of ours; nothing crashes.
struct FuzzTests {
    static let rounds = 3000

    /// Flips, overwrites, cuts, doubles: what damage and malice do to a file.
    static func damaged(_ original: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
            // Most structure lies at the beginning.
            let reach = Bool.random(using: &generator) ? bytes.count : min(bytes.count, 64)
            let position = Int.random(in: 0..<reach, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes[position] = UInt8.random(in: 0...255, using: &generator)
            case 2: bytes.removeSubrange(position...)
            case 3: bytes.insert(contentsOf: bytes[position..<min(position + 16, bytes.count)], at: position)
            case 4: bytes.remove(at: position)
            default:
                let extremes: [UInt64] = [
                    0, 1, .max, 1 << 63, 1 << 60, 1 << 32, 1 << 31, UInt64(original.count), generator.next(),
                ]
                let value = extremes.randomElement(using: &generator) ?? 0
                for byte in 0..<8 where position + byte < bytes.count {
                    bytes[position + byte] = UInt8(truncatingIfNeeded: value >> UInt64(8 * byte))
                }
            }
        }
        return bytes
    }

    private func fuzz(_ original: [UInt8], seed: UInt64, _ read: (MemoryByteSource) throws -> Void) throws {
        try read(MemoryByteSource(original))
        var refused = 0
        for round in 0..<Self.rounds {
            var generator = SeededGenerator(seed: seed + UInt64(round))
            let bytes = Self.damaged(original, using: &generator)
            do {
                try read(MemoryByteSource(bytes))
            } catch is QuernError {
                refused += 1
            } catch {
                Issue.record("seed \(seed + UInt64(round)) throws \(error)")
            }
        }
        #expect(refused > Self.rounds / 20)
    }

    @Test func json() throws {
        let text = #"{"a":[1,2.5e3,-7,"x\u00e9\ud83d\ude00\n",{"b":null,"c":[true,false]}],"é":{"k":"v"},"":[]}"#
        try fuzz(Array(text.utf8), seed: 1) { _ = try JSONValue.parse($0.contents) }
    }

    @Test func safetensors() throws {
        let header =
            """
            {"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},
             "b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]}}
            """
        try fuzz(ByteBuilder.safetensors(header, data: 22).bytes, seed: 2) { _ = try SafetensorsHeader.read(from: $0) }
    }

    @Test func gguf() throws {
        let metadata: [(key: String, value: GGUFValue)] = [
            ("general.architecture", .string("llama")), ("general.alignment", .uint32(32)), ("x", .float64(1)),
            ("tokens", .array(.string(["a", "bc", ""]))), ("nested", .array(.array([.bool([true]), .int16([1, 2])]))),
        ]
        let tensors = [
            GGUFTensorInfo(name: "a", shape: [32, 2], type: .q8_0, offset: 0),
            GGUFTensorInfo(name: "b", shape: [3], type: .f32, offset: 96),
        ]
        let bytes = GGUFHeaderWriter.bytes(metadata: metadata, tensors: tensors) + [UInt8](repeating: 7, count: 128)
        try fuzz(bytes, seed: 3) { _ = try GGUFHeader.read(from: $0) }
    }

    @Test func aRealGGUFHeader() throws {
        try fuzz(try Fixtures.bytes("gguf/granite-header.gguf"), seed: 4) {
            _ = try GGUFHeader.read(from: $0, requiringData: false)
        }
    }

    @Test func importanceMatrix() throws {
        try fuzz(
            ImportanceMatrixTests.gguf([("t.in_sum2", [2, 2], [1, 2, 3, 4]), ("t.counts", [1, 2], [1, 0])]), seed: 5
        ) { _ = try ImportanceMatrix.read(from: $0) }
    }

    @Test func legacyImportanceMatrix() throws {
        let bytes = ImportanceMatrixTests.legacy().i32(3).i32(4).raw("text".utf8).bytes
        try fuzz(bytes, seed: 6) { _ = try ImportanceMatrix.read(from: $0) }
    }

    @Test func randomBytes() throws {
        for seed in 0..<UInt64(Self.rounds) {
            var generator = SeededGenerator(seed: seed)
            let noise = (0..<Int.random(in: 0..<200, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let gguf = MemoryByteSource(Array("GGUF".utf8) + [3, 0, 0, 0] + noise)
            for read in [
                { _ = try GGUFHeader.read(from: gguf) },
                { _ = try SafetensorsHeader.read(from: MemoryByteSource(noise)) },
                { _ = try ImportanceMatrix.read(from: MemoryByteSource(noise)) }, { _ = try JSONValue.parse(noise) },
            ]
                as [() throws -> Void]
            {
                do { try read() } catch is QuernError {} catch { Issue.record("seed \(seed) throws \(error)") }
            }
        }
    }
}
