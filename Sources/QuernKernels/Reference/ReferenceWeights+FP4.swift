import Foundation
import QuernFormats

extension ReferenceWeights {
    /// Scales are stored times the global scale; the product is in single precision, and so is all that follows.
    static func nvfp4(
        _ rows: [[Float]], source: SafetensorsType, globalScale: Float
    ) -> [WeightComponent: [UInt8]] {
        let e4m3 = ReferenceSmallFloat.e4m3
        var codes: [UInt8] = [], scales: [UInt8] = []
        for row in rows {
            for start in stride(from: 0, to: row.count, by: 16) {
                let values = row[start..<start + 16]
                let wanted = source.nearest(to: largest(values) / 6) * globalScale
                let nearest = e4m3.code(nearestTo: wanted)
                // One eighth stands in for zero.
                let code = nearest == 0 ? e4m3.code(nearestTo: 0.125) : nearest
                scales.append(UInt8(code))
                let divisor = e4m3.values[code] / globalScale
                codes += pairs(values.map { fp4($0 / divisor) })
            }
        }
        return [.packed: codes, .scale: scales]
    }

    /// The largest magnitude of a group, its mantissa rounded down or from 1.75 on up, gets the exponent of four.
    static func mxfp4(_ rows: [[Float]], source: SafetensorsType) -> [WeightComponent: [UInt8]] {
        var codes: [UInt8] = [], scales: [UInt8] = []
        for row in rows {
            for start in stride(from: 0, to: row.count, by: 32) {
                let values = row[start..<start + 32]
                let (code, divisor) = powerOfTwo(largest(values), source: source)
                scales.append(code)
                codes += pairs(values.map { fp4(source.nearest(to: $0 / divisor)) })
            }
        }
        return [.packed: codes, .scale: scales]
    }

    /// - Returns: the exponent + 127, and the divisor.
    private static func powerOfTwo(_ largest: Float, source: SafetensorsType) -> (code: UInt8, divisor: Float) {
        let (smallest, greatest) = source == .f16 ? (-14, 15) : (-126, 127)
        var exponent = max(Int(largest.isZero ? -200 : largest.exponent), smallest - 1)
        // A quarter is added to the mantissa, which for subnormals starts at 0.
        if largest >= scalbn(exponent < smallest ? 1.5 : 1.75, exponent) { exponent += 1 }
        // Subnormals have no exponent. Zero in half precision, where 2^-127 is zero, too, is divided by one.
        if exponent < smallest { return source == .f16 ? (127, 1) : (0, 0x1p-127) }
        // Beyond the type's range all codes are zero.
        if exponent > greatest { return (127, .infinity) }
        let code = max(exponent - 2 + 127, 0)
        return (UInt8(code), scalbn(Float(1), code - 127))
    }

    /// What rounds to zero keeps its sign; zero has none.
    private static func fp4(_ value: Float) -> UInt8 {
        UInt8(ReferenceSmallFloat.e2m1.code(nearestTo: value.magnitude)) | (value < 0 ? 8 : 0)
    }

    private static func pairs(_ codes: [UInt8]) -> [UInt8] {
        stride(from: 0, to: codes.count, by: 2).map { codes[$0] | codes[$0 + 1] << 4 }
    }
}
