import Foundation

/// Rows that searches stumble over, drawn anew in each run; QUERN_TEST_SEED repeats a run.
struct OddRows {
    let seed: UInt64
    private var state: UInt64

    /// - Parameter salt: tells one use in a test run from another.
    init(salt: Int) {
        let text = ProcessInfo.processInfo.environment["QUERN_TEST_SEED"] ?? ""
        seed = UInt64(text) ?? UInt64.random(in: 0..<1 << 32)
        state = seed &+ UInt64(bitPattern: Int64(salt)) &* 0xd134_2543_de82_ef95
    }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func integer(below bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// In 0 ..< 1.
    mutating func uniform() -> Float { Float(next() >> 40) * 0x1p-24 }

    /// Close enough to a normal distribution.
    mutating func normal() -> Float { (0..<12).reduce(-6) { sum, _ in sum + uniform() } }

    mutating func powerOfTen(_ range: ClosedRange<Double>) -> Float {
        let exponent = range.lowerBound + Double(uniform()) * (range.upperBound - range.lowerBound)
        return Float(pow(10, exponent))
    }

    /// Finite values of one odd kind.
    mutating func values(_ count: Int) -> [Float] {
        let kind = integer(below: 17)
        let scale = powerOfTen(-6...3)
        let first = normal()
        var values = (0..<count).map { index -> Float in
            switch kind {
            case 0, 1, 2, 3: normal() * scale
            case 4: 0
            case 5: first
            case 6: index % 2 == 0 ? first : -first
            case 7: normal() * 0x1p-133
            case 8: normal() * powerOfTen(-38 ... -10)
            case 9: normal() * powerOfTen(-12...6)
            case 10: [0, -0.0, 1, -1][integer(below: 4)]
            case 11: [0, -0.0][integer(below: 2)]
            case 12: normal().magnitude + 3
            case 13: -normal().magnitude - 3
            case 14: Float(integer(below: 17) - 8)
            case 15: 1 + normal() * 1e-7
            default: Float(bitPattern: UInt32(truncatingIfNeeded: next()))
            }
        }
        if integer(below: 8) == 0 { values[integer(below: count)] = powerOfTen(0...38) }
        return values.map { $0.isFinite ? $0 : 0 }
    }

    /// A row of one kind, of another kind in every block, or of normal values with another spread in every block.
    mutating func row(_ columns: Int) -> [Float] {
        switch integer(below: 3) {
        case 0: return values(columns)
        case 1: return (0..<columns / 32).flatMap { _ in values(32) }
        default:
            return (0..<columns / 32).flatMap { _ -> [Float] in
                let spread = powerOfTen(-1...1)
                return (0..<32).map { _ in normal() * spread }
            }
        }
    }

    mutating func rows(_ count: Int, columns: Int) -> [Float] {
        (0..<count).flatMap { _ in row(columns) }
    }

    /// Weights, at least 0: ordinary, with zeros, tiny or huge, of mixed magnitude, or with another magnitude in every
    /// block.
    mutating func importance(_ columns: Int) -> [Float] {
        let kind = integer(below: 5)
        let scale = powerOfTen(-20...20)
        let blockScales = (0..<columns / 32).map { _ in integer(below: 6) == 0 ? 0 : powerOfTen(-2...2) }
        return (0..<columns).map { column in
            switch kind {
            case 0: normal().magnitude
            case 1: integer(below: 3) == 0 ? 0 : normal().magnitude
            case 2: normal().magnitude * scale
            case 3: normal().magnitude * blockScales[column / 32]
            default: normal().magnitude * powerOfTen(-10...10)
            }
        }
    }
}
