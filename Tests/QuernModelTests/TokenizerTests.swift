import QuernFormats
import QuernModel
import Testing

@Suite struct TokenizerTests {
    @Test func aMissingSourceIsAnError() {
        #expect(throws: QuernError.self) { try Tokenizer.open(path: "/nowhere") }
    }
}
