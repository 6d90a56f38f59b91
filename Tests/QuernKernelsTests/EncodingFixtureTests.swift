import QuernFormats
import QuernKernels
import Testing

/// The bytes of the reference implementation.
@Suite struct EncodingFixtureTests {
    @Test(arguments: EncodingFixture.types, Encoder.all)
    func encodes(_ type: ElementType, with encoder: Encoder) throws {
        let fixture = try EncodingFixture(type)
        for (importance, expected) in [(nil, fixture.plain), (fixture.importance, fixture.weighted)] {
            let bytes = encoder.encode(
                type, rows: fixture.rows, columns: EncodingFixture.columns, importance: importance)
            let difference = firstDifference(type, columns: EncodingFixture.columns, bytes, expected.bytes)
            #expect(difference == nil, "importance: \(importance != nil)")
        }
    }

    @Test(arguments: EncodingFixture.types, InstructionSet.allCases)
    func decodes(_ type: ElementType, with set: InstructionSet) throws {
        let fixture = try EncodingFixture(type)
        for expected in [fixture.plain, fixture.weighted] {
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

    @Test(arguments: EncodingFixture.types)
    func importanceMattersWhereItShould(_ type: ElementType) throws {
        let fixture = try EncodingFixture(type)
        #expect((fixture.plain.bytes != fixture.weighted.bytes) == type.usesImportance)
    }

    @Test func coversEveryEncodableType() {
        #expect(Set(EncodingFixture.types + [.f32]) == Set(EncodableTypes.all))
        for type in ElementType.allCases {
            #expect(Kernels.canEncode(type) == EncodableTypes.contains(type))
            #expect(Kernels.canDecode(type) == EncodableTypes.contains(type))
        }
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
