import QuernFormats
import Testing

struct QuernErrorTests {
    @Test func showsNothingThatSteersATerminal() {
        let error = QuernError(
            .usage, "unknown preset 'Q4\u{7F}\u{1B}[2J\n\u{202E}é'", at: "a\tb", remedy: "c\u{2028}d")
        #expect(
            error.description
                == #"a\u{9}b: unknown preset 'Q4\u{7f}\u{1b}[2J\u{a}\u{202e}é'. c\u{2028}d"#)
        #expect(error.located(in: "f").description == "f: " + error.description)
    }

    @Test func cutsWhatIsLong() {
        let long = String(repeating: "ab", count: 3000)
        let error = QuernError(.usage, "unknown preset '\(long)'", at: long)
        #expect(error.message == "unknown preset '" + String(repeating: "ab", count: 992) + "…")
        #expect(error.location == String(repeating: "ab", count: 1000) + "…")
        #expect(error.located(in: "f").message == error.message)
        #expect(QuernError(.usage, String(repeating: "é", count: 2000)).message.count == 2000)
    }
}
