import Foundation

/// The types of four-bit floats (E2M1) under shared scales: two in a byte, from the two halves of what has one scale.
extension ReferenceEncoder {
    /// MXFP4: scale as a power of two (E8M0), 16 bytes of nibbles. The largest magnitude gets the largest exponent,
    /// 2² · scale.
    static func mxfp4(_ x: [Float]) -> [UInt8] {
        var code: UInt8 = 0
        let largest = largest(x).magnitude
        if largest > 0 && largest.isFinite {
            // A logarithm in single precision: what lies closely below a power of two counts as that power.
            let logarithm = Float(log2(Double(largest)))
            code = UInt8(truncatingIfNeeded: Int(logarithm.rounded(.down)) - 2 + 127)
        }
        return [code] + fp4Nibbles(x, halfScale: Float(sign: .plus, exponent: Int(code) - 128, significand: 1))
    }

    /// NVFP4: four scales (E4M3 without a sign), then 8 bytes of nibbles for each 16 values. The largest magnitude
    /// gets the largest level, 6 · scale.
    static func nvfp4(_ x: [Float]) -> [UInt8] {
        var codes: [UInt8] = [], nibbles: [UInt8] = []
        for start in stride(from: 0, to: 64, by: 16) {
            let part = Array(x[start..<start + 16])
            let (code, scale) = e4m3(largest(part).magnitude / 6)
            codes.append(code)
            nibbles += fp4Nibbles(part, halfScale: scale / 2)
        }
        return codes + nibbles
    }

    /// Twice the values of the 16 codes.
    private static let fp4Levels: [Float] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]

    /// The nearest codes, of several the first: very large values are equally far from all.
    private static func fp4Nibbles(_ x: [Float], halfScale: Float) -> [UInt8] {
        let codes = x.map { value in
            let distances = fp4Levels.map { ($0 * halfScale - value).magnitude }
            return distances.indices.reduce(0) { distances[$1] < distances[$0] ? $1 : $0 }
        }
        let half = x.count / 2
        return (0..<half).map { UInt8(codes[$0] | codes[$0 + half] << 4) }
    }

    /// Four exponent bits with bias 7, three mantissa bits; halves round up, and from 256 on it is the largest value.
    private static func e4m3(_ x: Float) -> (code: UInt8, value: Float) {
        guard x > 0 else { return (0, 0) }
        if x >= 256 { return (0x7e, 448) }
        // Subnormals are multiples of 2⁻⁹, and end below the first normal value.
        if x.exponent < -6 {
            let steps = min(Int(x * 512 + 0.5), 7)
            return (UInt8(steps), Float(steps) / 512)
        }
        let step = Float(sign: .plus, exponent: x.exponent - 3, significand: 1)
        let value = (x / step).rounded(.toNearestOrAwayFromZero) * step
        if value >= 256 { return (0x7e, 448) }
        let mantissa = Int(value.significand * 8) - 8
        return (UInt8((Int(value.exponent) + 7) << 3 | mantissa), value)
    }
}
