import QuernFormats
import QuernStore
import TestSupport
import Testing

/// The statement that is signed.
@Suite struct SignedFilesTests {
    private let files = ["b", "a.txt", "a/z", "a/b/c", "é", "a/b.c"].map {
        SignedFiles.File(name: $0, sha256: Digest(of: Array($0.utf8)))
    }

    /// Component by component, in the order of code points: `a/z` before `a.txt`, although '/' comes behind '.'.
    @Test func filesAreOrderedByComponents() {
        let signed = SignedFiles(folder: "m", files: files, ignored: [])
        #expect(signed.files.map(\.name) == ["a/b/c", "a/b.c", "a/z", "a.txt", "b", "é"])
    }

    @Test func statementIsExact() throws {
        let signed = SignedFiles(folder: "my model", files: Array(files.prefix(2)), ignored: [".git", "model.sig"])
        let text = String(decoding: try signed.statement(), as: UTF8.self)
        let (a, b) = (Digest(of: Array("a.txt".utf8)), Digest(of: Array("b".utf8)))
        #expect(
            text == """
                {"_type":"https://in-toto.io/Statement/v1","predicate":{"resources":[\
                {"algorithm":"sha256","digest":"\(a)","name":"a.txt"},\
                {"algorithm":"sha256","digest":"\(b)","name":"b"}],\
                "serialization":{"allow_symlinks":false,"hash_type":"sha256",\
                "ignore_paths":[".git","model.sig"],"method":"files"}},\
                "predicateType":"https://model_signing/signature/v1.0","subject":[\
                {"digest":{"sha256":"\(Digest(of: a.bytes + b.bytes))"},"name":"my model"}]}
                """)
        #expect(try SignedFiles(statement: Array(text.utf8)) == signed)
    }

    @Test(arguments: [
        ("Statement/v1", "Statement/v0.1", "_type"), ("signature/v1.0", "Digests/v0.1", "version 1.0"),
        ("\"method\":\"files\"", "\"method\":\"shards\"", "not read here"),
        ("\"hash_type\":\"sha256\"", "\"hash_type\":\"blake3\"", "not read here"),
        ("\"algorithm\":\"sha256\"", "\"algorithm\":\"blake2\"", "algorithm"),
        ("\"name\":\"b\"", "\"name\":\"a.txt\"", "twice"), ("\"name\":\"b\"", "\"name\":1", "in place of a string"),
        ("{\"sha256\":\"", "{\"sha256\":\"f", "no sha256"), ("\"allow_symlinks\":false,", "", "allow_symlinks"),
        ("\"allow_symlinks\":false", "\"allow_symlinks\":\"false\"", "true or false"),
        ("[\".git\"", "[1", "ignore_paths"), ("\"subject\":[", "\"subject\":[{},", "2 subjects"),
    ]) func otherStatementsAreRefused(from: String, to: String, words: String) throws {
        let signed = SignedFiles(folder: "m", files: Array(files.prefix(2)), ignored: [".git"])
        let text = String(decoding: try signed.statement(), as: UTF8.self)
        try #require(text.contains(from))
        let error = #expect(throws: QuernError.self) {
            try SignedFiles(statement: Array(text.replacing(from, with: to).utf8))
        }
        #expect("\(String(describing: error))".contains(words), "\(String(describing: error))")
    }

    /// The digest of the whole goes with those of the files, in their order.
    @Test func digestsThatDoNotFitTheWholeAreRefused() throws {
        let signed = SignedFiles(folder: "m", files: Array(files.prefix(2)), ignored: [])
        let text = String(decoding: try signed.statement(), as: UTF8.self)
        let (a, b) = (signed.files[0].sha256.hex, signed.files[1].sha256.hex)
        let swapped = text.replacing(a, with: "x").replacing(b, with: a).replacing("x", with: b)
        #expect(throws: QuernError.self) { try SignedFiles(statement: Array(swapped.utf8)) }
    }
}
