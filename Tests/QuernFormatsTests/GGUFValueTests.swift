import QuernFormats
import Testing

struct GGUFValueTests {
    @Test(arguments: [
        (GGUFValue.uint8(3), UInt64?.some(3), Int64?.some(3)), (.int8(-3), nil, -3), (.uint16(4), 4, 4),
        (.int16(-4), nil, -4),
        (.uint32(.max), 4_294_967_295, 4_294_967_295), (.int32(7), 7, 7), (.int32(-7), nil, -7),
        (.uint64(.max), .max, nil),
        (.int64(.min), nil, .min), (.float32(1), nil, nil), (.bool(true), nil, nil), (.string("1"), nil, nil),
    ])
    func integers(value: GGUFValue, unsigned: UInt64?, signed: Int64?) {
        #expect(value.unsigned == unsigned && value.signed == signed)
    }

    @Test func otherReaders() {
        let text = "variable"
        #expect(
            GGUFValue.float32(0.5).float == 0.5 && GGUFValue.float64(0.1).float == 0.1
                && GGUFValue.uint8(1).float == nil)
        #expect(GGUFValue.string(text).text == "variable" && GGUFValue.uint8(1).text == nil)
        #expect(GGUFValue.string(GGUFString(utf8: [0x61, 0xFF])).text == "a\u{FFFD}")
        #expect(GGUFValue.array(.string(["a"])).strings == ["a"] && GGUFValue.array(.uint8([1])).strings == nil)
        #expect(GGUFArray.array([.uint8([1]), .bool([])]).count == 2)
    }

    @Test(arguments: [
        (GGUFValue.uint32(7), "7", "u32"), (.float32(1e-5), "1e-05", "f32"), (.bool(false), "false", "bool"),
        (.string("a\nb"), "'a\\u{a}b'", "string"), (.array(.int32([1, -2])), "[1, -2]", "[i32]"),
        (.array(.uint8(Array(0..<20))), "[0, 1, 2, 3, 4, 5, 6, 7, … 20 in all]", "[u8]"),
        (.array(.string(["x", "y"])), "['x', 'y']", "[string]"),
        (.array(.array([.bool([true])])), "[[true]]", "[[bool]]"),
    ])
    func printing(value: GGUFValue, description: String, type: String) {
        #expect(value.description == description && value.typeName == type)
    }

    /// A name must not be able to repaint the terminal it is printed on.
    @Test(arguments: [
        ("\u{1b}[2J", "'\\u{1b}[2J'"), ("\u{202e}x", "'\\u{202e}x'"), ("\u{9b}x", "'\\u{9b}x'"), ("ü 漢", "'ü 漢'"),
    ])
    func controlCharactersAreEscaped(text: String, description: String) {
        #expect(GGUFString(text).description == description)
    }

    @Test func longStringsAreCut() {
        let value = GGUFValue.string(String(repeating: "é", count: 1000))
        #expect(value.description == "'" + String(repeating: "é", count: 80) + "…'")
    }
}
