import Foundation

/// Floats of few bits with a sign, exponents with a bias, subnormals and no infinities.
struct ReferenceSmallFloat {
    /// Of codes without a sign, in their order.
    let values: [Float]
    private let mantissaBits: Int
    private let smallestExponent: Int

    /// FP8: 448 is the largest.
    static let e4m3 = ReferenceSmallFloat(mantissaBits: 3, bias: 7, count: 127)
    /// FP4: 0, ½, 1, 1½, 2, 3, 4, 6.
    static let e2m1 = ReferenceSmallFloat(mantissaBits: 1, bias: 1, count: 8)

    private init(mantissaBits: Int, bias: Int, count: Int) {
        self.mantissaBits = mantissaBits
        smallestExponent = 1 - bias
        values = (0..<count).map { code in
            let exponent = code >> mantissaBits, mantissa = code & ((1 << mantissaBits) - 1)
            let significand = exponent == 0 ? mantissa : mantissa + 1 << mantissaBits
            return scalbn(Float(significand), max(exponent, 1) - bias - mantissaBits)
        }
    }

    /// The code of the value nearest to a magnitude, halves to the even code; the largest beyond it.
    func code(nearestTo magnitude: Float) -> Int {
        guard magnitude > 0 else { return 0 }
        let largest = values.count - 1
        if magnitude >= values[largest] { return largest }
        let step = scalbn(Float(1), max(Int(magnitude.exponent), smallestExponent) - mantissaBits)
        let nearest = (magnitude / step).rounded(.toNearestOrEven) * step
        return values.firstIndex { $0 >= nearest } ?? largest
    }
}
