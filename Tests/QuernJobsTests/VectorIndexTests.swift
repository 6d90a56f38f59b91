import QuernFormats
import QuernJobs
import QuernStore
import Testing

struct VectorIndexTests {
    @Test func bytesAreSortedLines() throws {
        let (a, b) = (Digest(of: [1]), Digest(of: [2]))
        let index = VectorIndex(vectors: ["blk.1.x": a, "blk.0.y z": b])
        #expect(index.bytes == Array("\(b.hex) blk.0.y z\n\(a.hex) blk.1.x\n".utf8))
        #expect(try VectorIndex(bytes: index.bytes) == index)
    }

    @Test(arguments: ["x", "\(String(repeating: "g", count: 64)) n\n", "\(String(repeating: "0", count: 64))\n"])
    func damage(text: String) {
        #expect(throws: QuernError.self) { try VectorIndex(bytes: Array(text.utf8)) }
    }
}
