import QuernFormats
import QuernPlanning
import Testing

@Suite struct PresetTests {
    @Test(arguments: Preset.allCases)
    func nameFindsThePreset(preset: Preset) throws {
        #expect(try Preset(named: preset.name) == preset)
        #expect(try Preset(named: preset.name.lowercased()) == preset)
        #expect(EncodableTypes.contains(preset.baseType))
    }

    @Test(arguments: [("Q3_K", Preset.q3_K_M), ("q4_k", .q4_K_M), ("Q5_k", .q5_K_M)])
    func alias(name: String, preset: Preset) throws {
        #expect(try Preset(named: name) == preset)
    }

    @Test(arguments: [
        (Preset.f32, UInt32(0)), (.f16, 1), (.q4_0, 2), (.q8_0, 7), (.q3_K_S, 11), (.q3_K_M, 12), (.q3_K_L, 13),
        (.q4_K_S, 14), (.q4_K_M, 15), (.q5_K_S, 16), (.q5_K_M, 17), (.q6_K, 18), (.iq4_xs, 30), (.bf16, 32),
        (.mxfp4_moe, 38), (.q2_0, 41),
    ])
    func fileType(preset: Preset, id: UInt32) {
        #expect(preset.rawValue == id)
    }

    @Test(arguments: ["", "Q4_K_XL", "Q4_K_M ", "q9"])
    func unknownNameListsWhatThereIs(name: String) throws {
        let error = try #require(throws: QuernError.self) { try Preset(named: name) }
        #expect(error.code == .usage)
        #expect(error.message.contains("'\(name)'"))
        for preset in Preset.allCases { #expect(error.remedy.contains(preset.name)) }
    }
}
