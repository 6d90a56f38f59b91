import QuernStore
import Testing

@Suite struct MessageAuthenticationTests {
    /// Test case 2 of RFC 4231.
    @Test func exampleOfTheStandard() throws {
        let (key, message) = (Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
        let code = MessageAuthentication.code(of: message, key: key)
        #expect(code.hex == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(MessageAuthentication.isValid(code, of: message, key: key))
        #expect(!MessageAuthentication.isValid(code, of: message + [0], key: key))
        #expect(!MessageAuthentication.isValid(code, of: message, key: Array("Jefx".utf8)))
    }

    @Test func digestsInText() {
        let (a, b) = (Digest(of: [1]), Digest(of: [2]))
        let text = "{\"x\":\"\(a)\"}\n\(b) name\n"
        #expect(Digest.named(in: text.utf8) == [a, b])
        #expect(Digest.named(in: "\(a)\(b)".utf8) == [])
        #expect(Digest.named(in: "\(a.hex.dropLast()) 0\(b) \(a.hex.uppercased())".utf8) == [])
        #expect(Digest.named(in: a.hex.utf8) == [a])
        #expect(Digest.named(in: []) == [])
    }
}
