import QuernFormats
import QuernStore
import TestSupport
import Testing

@Suite struct ZstandardTests {
    private func compress(_ bytes: [UInt8], level: Int = 1) throws -> [UInt8] {
        try bytes.withUnsafeBytes { try Zstandard.compress($0, level: level) }
    }

    private func decompress(_ bytes: [UInt8], limit: Int = 16 << 20) throws -> [UInt8] {
        try bytes.withUnsafeBytes { try Zstandard.decompress($0, limit: limit) }
    }

    @Test(arguments: [0, 1, 1000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 7], [1, 3])
    func roundTrip(count: Int, level: Int) throws {
        var generator = SeededGenerator(seed: UInt64(count))
        let bytes = generator.text(count)
        let frames = try compress(bytes, level: level)
        #expect(try decompress(frames) == bytes)
        if count > 1000 { #expect(frames.count < count * 3 / 4) }
    }

    @Test func moreThanTheLimitIsRefused() throws {
        let frames = try compress([UInt8](repeating: 7, count: 5000))
        #expect(try decompress(frames, limit: 5000).count == 5000)
        #expect(throws: QuernError.self) { try decompress(frames, limit: 4999) }
    }

    /// Many frames that each stay small must not add up beyond the limit.
    @Test func limitHoldsForTheSumOfFrames() throws {
        let frame = try compress([UInt8](repeating: 7, count: 1000))
        let frames = Array(repeatElement(frame, count: 10).joined())
        #expect(try decompress(frames, limit: 10_000).count == 10_000)
        #expect(throws: QuernError.self) { try decompress(frames, limit: 9_999) }
    }

    /// Frames as RFC 8878 has them: magic number, descriptor, window or content size, then nothing of use.
    @Test(
        arguments: [
            // No content size.
            [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x58, 0x01, 0x00, 0x00],
            // A window of 2^41 bytes.
            [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0xF8, 0x01, 0x00, 0x00],
            // 2^62 bytes of content.
            [0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x01, 0x00, 0x00],
            // 1 GiB of content in a run-length block.
            [0x28, 0xB5, 0x2F, 0xFD, 0xA0, 0, 0, 0, 0x40, 0x03, 0x00, 0x00, 0x61],
            // Not a frame.
            [0x00, 0x01, 0x02, 0x03],
            // A skippable frame, which declares no content.
            [0x50, 0x2A, 0x4D, 0x18, 0x04, 0x00, 0x00, 0x00, 1, 2, 3, 4, 5],
        ] as [[UInt8]])
    func hostileFramesAreRefused(frame: [UInt8]) {
        #expect(throws: QuernError.self) { try decompress(frame) }
    }

    @Test func everyFlippedBitIsFound() throws {
        var generator = SeededGenerator(seed: 3)
        let bytes = generator.text(600)
        let frames = try compress(bytes)
        for bit in 0..<frames.count * 8 {
            var damaged = frames
            damaged[bit / 8] ^= 1 << (bit % 8)
            // Bits that mean nothing may be flipped without harm; bytes that come out must be the right ones.
            let outcome = try? decompress(damaged)
            #expect(outcome == nil || outcome == bytes, "bit \(bit)")
        }
    }

    @Test func everyTruncationIsFound() throws {
        var generator = SeededGenerator(seed: 4)
        let frames = try compress(generator.text(600))
        for count in 1..<frames.count {
            #expect(throws: QuernError.self) { try decompress(Array(frames[..<count])) }
        }
    }
}
