import QuernFormats
import QuernKernels
import TestSupport
import Testing

/// The bytes of the reference implementation.
@Suite struct EncodingFixtureTests {
    @Test(arguments: EncodingFixture.types, Encoder.all)
    func encodes(_ type: ElementType, with encoder: Encoder) throws {
        let fixture = try EncodingFixture(type)
        for (importance, expected) in [(nil, fixture.plain), (fixture.importance, fixture.weighted)] {
            guard let expected else { continue }
            let bytes = encoder.encode(
                type, rows: fixture.rows, columns: EncodingFixture.columns, importance: importance)
            let difference = firstDifference(type, columns: EncodingFixture.columns, bytes, expected.bytes)
            #expect(difference == nil, "importance: \(importance != nil)")
        }
    }

    @Test(arguments: EncodingFixture.types, InstructionSet.allCases)
    func decodes(_ type: ElementType, with set: InstructionSet) throws {
        let fixture = try EncodingFixture(type)
        for expected in [fixture.plain, fixture.weighted].compactMap({ $0 }) {
            let values = decode(type, expected.bytes, with: set)
            #expect(values.map(\.bitPattern) == expected.decoded.map(\.bitPattern))
        }
    }

    @Test(arguments: InstructionSet.allCases)
    func copiesF32(with set: InstructionSet) throws {
        let rows = try EncodingFixture(.f16).rows
        for encoder in [Encoder.lanes(set), .reference] {
            let bytes = encoder.encode(.f32, rows: rows, columns: EncodingFixture.columns, importance: nil)
            #expect(decode(.f32, bytes, with: set).map(\.bitPattern) == rows.map(\.bitPattern))
        }
    }

    /// Q8_0 rounds halves away from zero, and what lies just below a half towards it.
    @Test(arguments: Encoder.all)
    func roundsHalvesAwayFromZero(with encoder: Encoder) {
        var values = [Float](repeating: 0, count: 32)
        let cases: [(Float, Int8)] = [
            (127, 127), (0.5, 1), (1.5, 2), (2.5, 3), (-0.5, -1), (-2.5, -3), (Float(0.5).nextDown, 0),
            (Float(-0.5).nextUp, 0), (Float(126.5).nextDown, 126), (-126.5, -127), (-127, -127),
        ]
        for (index, value) in cases.enumerated() { values[index] = value.0 }
        let bytes = encoder.encode(.q8_0, rows: values, columns: 32, importance: nil)
        #expect(bytes[..<2] == [0x00, 0x3c])
        #expect(bytes[2..<2 + cases.count].map { Int8(bitPattern: $0) } == cases.map(\.1))
    }

    /// A block whose coordinate descent still moves a quant in its fifth and last pass.
    @Test(arguments: Encoder.all)
    func descendsInFivePasses(with encoder: Encoder) {
        let part: [Float] = [10, -12, -21, -25, -29, 24, 26, -12, 30, -13, -13, 11, -32, 13, -4, -8]
        let values = (0..<16).flatMap { _ in part }
        let bytes = encoder.encode(.q3_K, rows: values, columns: 256, importance: nil)
        #expect(bytes[32..<48] == [85, 255, 170, 85, 85, 170, 255, 255, 255, 255, 255, 85, 85, 85, 0, 255])
        #expect(bytes[108...] == [237, 180])
    }

    @Test(arguments: EncodingFixture.types)
    func importanceMattersWhereItShould(_ type: ElementType) throws {
        let fixture = try EncodingFixture(type)
        guard let plain = fixture.plain else { return #expect(type.usesImportance) }
        #expect((plain.bytes != fixture.weighted.bytes) == type.usesImportance)
    }

    @Test func coversEveryEncodableType() {
        #expect(Set(EncodingFixture.types + [.f32]) == Set(EncodableTypes.all))
    }

    /// A dispatch that always fell back to one build would leave the others untested.
    @Test func runsOnWhatTheMachineHas() {
        #expect(InstructionSet.allCases.first == .plain)
        #expect(InstructionSet.allCases.last == .best)
        #if arch(x86_64)
            #expect(InstructionSet.allCases.contains(.sse2))
            #expect(!InstructionSet.allCases.contains(.neon))
        #elseif arch(arm64)
            #expect(InstructionSet.allCases.contains(.neon))
            #expect(!InstructionSet.allCases.contains(.sse2))
        #endif
    }
}
