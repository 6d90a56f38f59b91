import QuernStore
import TestSupport
import Testing

/// Known answers from FIPS 180-4 and its published examples.
@Suite struct SHA256Tests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ]) func knownAnswers(text: String, hex: String) {
        #expect(Digest(of: Array(text.utf8)).hex == hex)
    }

    @Test func piecesGiveWhatTheWholeGives() {
        var generator = SeededGenerator(seed: 1)
        let bytes = generator.bytes(10_000)
        var hasher = SHA256Hasher()
        var position = 0
        while position < bytes.count {
            let count = min(Int.random(in: 0...700, using: &generator), bytes.count - position)
            hasher.update(Array(bytes[position..<position + count]))
            position += count
        }
        #expect(hasher.finish() == Digest(of: bytes))
    }
}
