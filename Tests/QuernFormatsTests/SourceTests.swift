import Foundation
import QuernFormats
import TestSupport
import Testing

struct SourceTests {
    @Test func aFileIsReadByRanges() throws {
        let folder = try TemporaryFolder()
        let source = try FileByteSource(path: try folder.write(Array(0..<100) as [UInt8], to: "file"))
        #expect(source.size == 100)
        #expect(try source.bytes(at: 10, count: 3) == [10, 11, 12])
        #expect(try source.bytes(at: 100, count: 0) == [])
        for (offset, count) in [(99, 2), (101, 0), (.max, 1), (0, -1)] as [(UInt64, Int)] {
            #expect(quernError { try source.bytes(at: offset, count: count) }?.code == .invalidInput)
        }
        withUnsafeTemporaryAllocation(byteCount: 2, alignment: 1) { buffer in
            for offset in [99, 100, 1 << 63, .max] as [UInt64] {
                #expect(quernError { try source.read(at: offset, into: buffer) }?.code == .invalidInput)
            }
        }
    }

    @Test func whatIsNoFile() throws {
        let folder = try TemporaryFolder()
        #expect(quernError { try FileByteSource(path: folder.path("none")) }?.code == .notFound)
        #expect(quernError { try FileByteSource(path: folder.path) }?.message == "not a regular file")
        #expect(mkfifo(folder.path("pipe"), 0o600) == 0)
        #expect(quernError { try FileByteSource(path: folder.path("pipe")) }?.message == "not a regular file")
    }

    /// The format's table, held against what each name says: bits per weight follow from block and bytes.
    @Test(arguments: [
        (ElementType.q4_0, 4.5), (.q4_1, 5), (.q5_0, 5.5), (.q5_1, 6), (.q8_0, 8.5), (.q2_K, 2.625), (.q3_K, 3.4375),
        (.q4_K, 4.5), (.q5_K, 5.5), (.q6_K, 6.5625), (.iq2_xxs, 2.0625), (.iq2_xs, 2.3125), (.iq2_s, 2.5625),
        (.iq3_xxs, 3.0625), (.iq3_s, 3.4375), (.iq1_s, 1.5625), (.iq1_m, 1.75), (.iq4_nl, 4.5), (.iq4_xs, 4.25),
        (.tq1_0, 1.6875), (.tq2_0, 2.0625), (.mxfp4, 4.25), (.nvfp4, 4.5), (.q1_0, 1.125), (.q2_0, 2.25), (.bf16, 16),
    ])
    func bitsPerWeight(type: ElementType, bits: Double) {
        #expect(type.bitsPerWeight == bits)
        #expect(ElementType(name: type.description.lowercased()) == type)
    }
}
