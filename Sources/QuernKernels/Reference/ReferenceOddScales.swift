/// The scales of a super-block as odd multiples of a unit: scale ≈ unit · (2q + 1), q in 0...15.
struct ReferenceOddScales {
    /// 1/31 of the largest scale.
    let unit: Float
    let isZero: Bool
    /// All zero where all scales are.
    let quants: [Int]

    init(_ scales: [Float]) {
        let largest = scales.reduce(0) { $0 > $1 ? $0 : $1 }
        let unit = largest / 31
        self.unit = unit
        isZero = largest == 0
        quants = scales.map { largest == 0 ? 0 : (0.5 * (1 / unit * $0 - 1)).nearestInteger(in: 0...15) }
    }

    /// Two quants to a byte, the first lowest.
    var nibbles: [UInt8] {
        stride(from: 0, to: quants.count, by: 2).map { UInt8(quants[$0] | quants[$0 + 1] << 4) }
    }
}
