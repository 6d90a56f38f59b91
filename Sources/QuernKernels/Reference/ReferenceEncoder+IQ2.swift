/// Super-blocks of 256 values: a half-precision unit of the scales, 4-bit scales, points of eight values by their index
/// in a code book, and their signs.
///
/// - IQ2_XXS: for each sub-block of 32 values four bytes with indices, then a word with four times seven signs and, on
///   top, the scale.
/// - IQ2_XS: 32 two-byte words with nine bits of an index and seven signs, eight bytes with the scales of sub-blocks of
///   16 values.
/// - IQ2_S: 32 bytes of indices, 32 bytes of signs, eight bytes with the indices' upper bit pairs, eight with scales.
extension ReferenceEncoder {
    static func iq2_xxs(_ x: [Float], importance: [Float]?) -> [UInt8] {
        let w = pointWeights(x, importance: importance, meanSquare: sumOfSquares(x) / 256)
        var points: [Int] = [], signs: [Int] = [], scales: [Float] = []
        for start in stride(from: 0, to: 256, by: 32) {
            var block = ReferencePointBlock(
                Array(x[start..<start + 32]), weights: Array(w[start..<start + 32]), evenSigns: true, book: .iq2_xxs)
            if !(block.largest < smallestMagnitude) {
                block.scale = ReferenceSearch.scales(block.x, weights: block.weights, highest: 4).scale
            }
            let highest = 3 * block.scale
            if highest > 0 {
                block.search(highest: highest, center: 5, step: 0.1, reach: 6)
                block.refit(all: true)
                block.makeScalePositive()
            } else {
                block.clear()
            }
            points += block.points
            signs += block.signs
            scales.append(block.scale)
        }
        let scale = ReferenceOddScales(scales)
        var bytes = scale.unit.halfBits.littleEndianBytes
        for j in 0..<8 {
            let groups = 4 * j..<4 * j + 4
            if scale.isZero {
                bytes += [UInt8](repeating: 0, count: 8)
                continue
            }
            var word = UInt32(scale.quants[j]) << 28
            for (i, group) in groups.enumerated() { word |= UInt32(signs[group] & 127) << UInt32(7 * i) }
            bytes += points[groups].map { UInt8($0) } + word.littleEndianBytes
        }
        return bytes
    }

    static func iq2_xs(_ x: [Float], importance: [Float]?) -> [UInt8] {
        let meanSquare = sumOfSquares(x) / 256
        let w = pointWeights(x, importance: importance, meanSquare: meanSquare)
        let (points, signs, scales) = pointsOfSixteen(
            x, weights: w, evenSigns: true, smallest: smallestMagnitude, book: .iq2_xs)
        let scale = ReferenceOddScales(scales)
        let words = zip(points, signs).map { scale.isZero ? 0 : UInt16($0 | ($1 & 127) << 9) }
        return scale.unit.halfBits.littleEndianBytes + words.flatMap(\.littleEndianBytes) + scale.nibbles
    }

    static func iq2_s(_ x: [Float], importance: [Float]?) -> [UInt8] {
        let meanSquare = 2 * sumOfSquares(x) / 256
        let w = pointWeights(x, importance: importance, meanSquare: meanSquare)
        let (points, signs, scales) = pointsOfSixteen(x, weights: w, evenSigns: false, smallest: 1e-8, book: .iq2_s)
        let scale = ReferenceOddScales(scales)
        var upperBits = [UInt8](repeating: 0, count: 8)
        for (i, point) in points.enumerated() { upperBits[i / 4] |= UInt8(point >> 8) << UInt8(2 * (i % 4)) }
        return (scale.unit * 0.9875).halfBits.littleEndianBytes + points.map { UInt8($0 & 255) }
            + signs.map { UInt8($0) } + upperBits + scale.nibbles
    }

    /// Without importance, which ggml asks for with IQ2_XXS and IQ2_XS, these are the weights of IQ2_S.
    private static func pointWeights(_ x: [Float], importance: [Float]?, meanSquare: Float) -> [Float] {
        importance.map { weights(x, importance: $0, meanSquare: meanSquare) } ?? x.map { 0.25 * meanSquare + $0 * $0 }
    }

    /// The points and signs of 32 groups of eight, and the scales of their pairs.
    /// - Parameter smallest: sub-blocks whose values are all smaller count as zero.
    private static func pointsOfSixteen(
        _ x: [Float], weights w: [Float], evenSigns: Bool, smallest: Float, book: ReferenceCodebook
    ) -> (points: [Int], signs: [Int], scales: [Float]) {
        var points: [Int] = [], signs: [Int] = [], scales: [Float] = []
        for start in stride(from: 0, to: 256, by: 16) {
            var block = ReferencePointBlock(
                Array(x[start..<start + 16]), weights: Array(w[start..<start + 16]), evenSigns: evenSigns, book: book)
            if block.largest < smallest {
                block.clear()
            } else {
                block.scale = block.largest / 5
                block.search(highest: block.largest, center: 5, step: 0.1, reach: 9)
                block.refit(all: false)
                block.makeScalePositive()
            }
            points += block.points
            signs += block.signs
            scales.append(block.scale)
        }
        return (points, signs, scales)
    }
}
