/// Super-blocks of 256 values in sub-blocks of 32: a half-precision unit of the sub-blocks' 4-bit scales, points of
/// four values by their index in a code book, and signs.
///
/// - IQ3_XXS: 64 bytes of indices, then for each sub-block a word with four times seven signs and, on top, the scale.
/// - IQ3_S: 64 bytes of indices, eight bytes with their ninth bits, 32 bytes of signs, four with scales.
extension ReferenceEncoder {
    static func iq3_xxs(_ x: [Float], importance: [Float]?) -> [UInt8] {
        let blocks = pointBlocks(x, importance: importance, evenSigns: true, book: .iq3_xxs).map { part in
            var block = part
            if block.largest < 1e-8 {
                block.clear()
                return block
            }
            block.scale = block.largest / 15
            block.search(highest: block.largest, center: 15, step: 0.2, reach: 15)
            block.refit(all: false)
            block.makeScalePositive()
            return block
        }
        let scale = ReferenceOddScales(blocks.map(\.scale))
        if scale.isZero { return [UInt8](repeating: 0, count: 98) }
        let words = zip(blocks, scale.quants).map { block, quant in
            block.signs.reversed().reduce(UInt32(quant)) { $0 << 7 | UInt32($1 & 127) }
        }
        return (scale.unit * 1.0125).halfBits.littleEndianBytes
            + blocks.flatMap { $0.points.map { UInt8($0) } }
            + words.flatMap(\.littleEndianBytes)
    }

    static func iq3_s(_ x: [Float], importance: [Float]?) -> [UInt8] {
        var indices = [UInt8](repeating: 0, count: 64), ninthBits = [UInt8](repeating: 0, count: 8)
        var signs = [UInt8](repeating: 0, count: 32)
        var scales: [Float] = []
        // A sub-block of zeros takes no room among indices and signs, so that the following ones move up there, but not
        // among ninth bits and scales: a slip of ggml's encoder that its decoder does not know of.
        var filled = 0
        for (j, part) in pointBlocks(x, importance: importance, evenSigns: false, book: .iq3_s).enumerated() {
            var block = part
            if block.largest == 0 {
                scales.append(0)
                continue
            }
            block.scale = block.largest / 15
            let found = block.search(highest: block.largest, center: 15, step: 0.2, reach: 9)
            if !found || block.hasMoved { block.refit(all: true) }
            block.makeScalePositive()
            scales.append(block.scale)
            for (group, index) in block.points.enumerated() {
                indices[8 * filled + group] = UInt8(index & 255)
                ninthBits[j] |= UInt8(index >> 8) << UInt8(group)
            }
            for (group, bits) in block.signs.enumerated() { signs[4 * filled + group] = UInt8(bits) }
            filled += 1
        }
        let scale = ReferenceOddScales(scales)
        return (scale.unit * 1.033).halfBits.littleEndianBytes + indices + ninthBits + signs + scale.nibbles
    }

    /// The sub-blocks, weighted with importance · √(mean square + x²), or with x² without importance.
    private static func pointBlocks(
        _ x: [Float], importance: [Float]?, evenSigns: Bool, book: ReferenceCodebook
    ) -> [ReferencePointBlock] {
        let meanSquare = 2 * sumOfSquares(x) / 256
        let w = importance.map { weights(x, importance: $0, meanSquare: meanSquare) } ?? x.map { $0 * $0 }
        return stride(from: 0, to: 256, by: 32).map { start in
            let part = start..<start + 32
            return ReferencePointBlock(Array(x[part]), weights: Array(w[part]), evenSigns: evenSigns, book: book)
        }
    }
}
