import QuernFormats
import Testing

struct JSONTests {
    static func parse(_ text: String, limits: JSONLimits = .default) throws -> JSONValue {
        try JSONValue.parse(Array(text.utf8), limits: limits)
    }

    @Test(arguments: [
        ("null", JSONValue.null), (" true ", .bool(true)), ("\t\nfalse\r\n", .bool(false)),
        ("0", .integer(0)), ("-1", .integer(-1)), ("9223372036854775807", .integer(.max)),
        ("-9223372036854775808", .integer(.min)), ("9223372036854775808", .double(9_223_372_036_854_775_808)),
        ("-9223372036854775809", .double(-9_223_372_036_854_775_808)), ("1.0", .double(1)), ("1e2", .double(100)),
        ("-2.5E-1", .double(-0.25)), ("1e-5", .double(1e-5)), ("0.1", .double(0.1)), ("5e-324", .double(5e-324)),
        ("1e-400", .double(0)), ("123456789012345678901234567890", .double(1.2345678901234568e29)),
        ("\"\"", .string("")), ("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", .string("a\"\\/\u{8}\u{c}\n\r\t")),
        ("\"\\u0041\\u00e9\\u20AC\"", .string("Aé€")), ("\"\\ud83d\\ude00x\"", .string("😀x")),
        ("\"é😀\"", .string("é😀")),
        ("\"\\u0000\"", .string("\0")), ("[]", .array([])),
        ("[1, [2], \"3\"]", .array([.integer(1), .array([.integer(2)]), .string("3")])),
        ("{}", .object(JSONObject())),
    ])
    func values(text: String, expected: JSONValue) throws {
        #expect(try Self.parse(text) == expected)
    }

    @Test func negativeZeroKeepsItsSign() throws {
        let value = try #require(try Self.parse("-0").double)
        #expect(value == 0 && value.sign == .minus)
    }

    @Test func keysKeepTheirOrder() throws {
        let text = (0..<1000).map { "\"k\(($0 * 7919) % 1000)\": \($0)" }.joined(separator: ", ")
        let object = try #require(try Self.parse("{\(text)}").object)
        #expect(object.keys == (0..<1000).map { "k\(($0 * 7919) % 1000)" })
        #expect((0..<1000).allSatisfy { object["k\(($0 * 7919) % 1000)"] == .integer(Int64($0)) })
        #expect(object["k1000"] == nil)
    }

    /// Two spellings of "é" are two tokens of a vocabulary, though Swift's strings call them equal.
    @Test(arguments: [0, 20])
    func keysAreToldApartByBytes(others: Int) throws {
        let more = (0..<others).map { ", \"k\($0)\": 0" }.joined()
        let object = try #require(try Self.parse("{\"\u{e9}\": 1, \"e\u{301}\": 2\(more)}").object)
        #expect(object.count == others + 2)
        #expect(object["\u{e9}"] == .integer(1))
        #expect(object["e\u{301}"] == .integer(2))
        #expect(JSONValue.string("\u{e9}") != .string("e\u{301}"))
    }

    @Test func accessorsGiveNilForOtherKinds() throws {
        let object = try #require(try Self.parse(#"{"s":"x","i":3,"d":2.5,"b":true,"a":[1],"o":{},"n":null}"#).object)
        #expect(object["s"]?.string == "x" && object["i"]?.string == nil)
        #expect(object["i"]?.integer == 3 && object["d"]?.integer == nil)
        #expect(object["d"]?.double == 2.5 && object["i"]?.double == 3 && object["s"]?.double == nil)
        #expect(object["b"]?.bool == true && object["i"]?.bool == nil)
        #expect(object["a"]?.array == [.integer(1)] && object["o"]?.array == nil)
        #expect(object["o"]?.object?.isEmpty == true && object["a"]?.object == nil)
        #expect(object["n"]?.isNull == true && object["s"]?.isNull == false)
    }

    @Test(arguments: [
        ("", "missing"), ("  ", "missing"), ("{", "end of the text"), ("[1", "end of the text"), ("[1,]", "']'"),
        ("{\"a\":1,}", "'}'"), ("{\"a\" 1}", "':'"), ("{a:1}", "'a'"), ("[1 2]", "'2'"), ("nul", "null"),
        ("True", "'T'"),
        ("NaN", "'N'"), ("-Infinity", "digits"), ("01", "begins with 0"), ("-", "digits"), ("1.", "fraction"),
        (".5", "'.'"),
        ("1e", "exponent"), ("1e+", "exponent"), ("+1", "'+'"), ("1e400", "too large"), ("-1e400", "too large"),
        ("\"abc", "no end"), ("\"\\", "no end"), ("\"\\x\"", "unknown escape"), ("\"\\u12\"", "four hexadecimal"),
        ("\"\\u12g4\"", "four hexadecimal"), ("\"\\ud800\"", "surrogate"), ("\"\\udc00\"", "surrogate"),
        ("\"\\ud800\\u0041\"", "surrogate"), ("\"a\nb\"", "control character"), ("\"\\n\u{1}\"", "control character"),
        ("1 2", "after the value"), ("{}x", "after the value"), ("\u{feff}{}", "0xef"),
        ("{\"a\":1,\"b\":2,\"a\":3}", "duplicate key 'a'"), ("{\"a\":1,\"\\u0061\":2}", "duplicate key 'a'"),
    ])
    func broken(text: String, message: String) throws {
        let error = try #require(quernError { try Self.parse(text) })
        #expect(error.code == .invalidInput)
        #expect(error.message.contains(message), "\(error)")
    }

    @Test func duplicatesAreFoundInLargeObjects() throws {
        let text = (0..<100).map { "\"k\($0)\": 0" }.joined(separator: ",")
        let error = try #require(quernError { try Self.parse("{\(text),\"k57\":1}") })
        #expect(error.message == "duplicate key 'k57'")
    }

    @Test func errorsSayWhere() throws {
        let error = try #require(quernError { try Self.parse("{\n  \"a\": [1,\n  tru]\n}") })
        #expect(error.location == "byte 15, line 3")
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
            [0x22, 0x5C, 0x6E, 0xE2, 0x82, 0x22],
        ] as [[UInt8]])
    func invalidUTF8(bytes: [UInt8]) throws {
        let error = try #require(quernError { try JSONValue.parse(bytes) })
        #expect(error.message == "a string is no valid UTF-8")
    }

    @Test(arguments: [("[", "]"), ("{\"a\":", "}")])
    func depthIsCapped(open: String, close: String) throws {
        func nested(_ depth: Int) -> String {
            String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
        }
        let limits = JSONLimits(bytes: 1 << 20, depth: 5, values: 100)
        #expect(throws: Never.self) { try Self.parse(nested(5), limits: limits) }
        #expect(quernError { try Self.parse(nested(6), limits: limits) }?.message == "nested more than 5 deep")
        #expect(
            quernError { try Self.parse(String(repeating: open, count: 100_000)) }?.message
                == "nested more than 64 deep")
    }

    @Test func sizeAndValuesAreCapped() throws {
        let limits = JSONLimits(bytes: 9, depth: 5, values: 4)
        #expect(throws: Never.self) { try Self.parse("[1, 2, 3]", limits: limits) }
        #expect(quernError { try Self.parse("[1, 2, 3] ", limits: limits) }?.message.contains("10 bytes") == true)
        #expect(quernError { try Self.parse("[1,2,3,4]", limits: limits) }?.message == "more than 4 values")
    }
}
