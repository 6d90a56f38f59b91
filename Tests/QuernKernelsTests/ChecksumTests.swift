import QuernKernels
import Testing

@Suite struct ChecksumTests {
    private func crc(_ bytes: [UInt8], after preceding: UInt32 = 0, with set: InstructionSet) -> UInt32 {
        bytes.withUnsafeBytes { Kernels.crc32c($0, after: preceding, with: set) }
    }

    /// The examples of RFC 3720, and the usual check value.
    @Test(arguments: InstructionSet.allCases)
    func knownValues(with set: InstructionSet) {
        #expect(crc(Array("123456789".utf8), with: set) == 0xe306_9283)
        #expect(crc([UInt8](repeating: 0, count: 32), with: set) == 0x8a91_36aa)
        #expect(crc([UInt8](repeating: 255, count: 32), with: set) == 0x62a8_ab43)
        #expect(crc((0..<32).map { $0 }, with: set) == 0x46dd_794e)
        #expect(crc([], with: set) == 0)
    }

    @Test(arguments: InstructionSet.allCases)
    func piecesGiveWhatTheWholeGives(with set: InstructionSet) {
        var draw = OddRows(salt: 5000)
        let bytes = (0..<100).map { _ in UInt8(truncatingIfNeeded: draw.next()) }
        let whole = crc(bytes, with: .plain)
        for cut in 0...bytes.count {
            #expect(crc(Array(bytes[cut...]), after: crc(Array(bytes[..<cut]), with: set), with: set) == whole)
        }
    }

    @Test func everyBitCounts() {
        let bytes = (0..<64).map { UInt8($0) }
        var seen: Set<UInt32> = [crc(bytes, with: .best)]
        for bit in 0..<512 {
            var other = bytes
            other[bit / 8] ^= 1 << (bit % 8)
            #expect(seen.insert(crc(other, with: .best)).inserted)
        }
    }
}
