import QuernFormats

/// Rounds groups of weights to integers.
struct ReferenceIntegers {
    let bits: Int
    let isSymmetric: Bool
    let source: SafetensorsType

    struct Group {
        var scale: Float
        var zeroPoint: Int
        var integers: [Int]
    }

    private var lowest: Float { -Float(1 << (bits - 1)) }
    private var highest: Float { -lowest - 1 }

    func row(_ row: [Float], group: Int) -> [Group] {
        stride(from: 0, to: row.count, by: group).map { start in
            let values = Array(row[start..<start + group])
            return isSymmetric ? symmetric(values) : asymmetric(values)
        }
    }

    /// The integers reach from −2^(b−1) to 2^(b−1) − 1; the largest magnitude is put in the middle of the two ends.
    private func symmetric(_ values: [Float]) -> Group {
        let scale = source.scale(ReferenceWeights.largest(values) / ((highest - lowest) / 2))
        return group(values, scale: scale, zeroPoint: 0)
    }

    /// The range of the values, with zero in it, is that of the integers.
    private func asymmetric(_ values: [Float]) -> Group {
        let low = min(values.min() ?? 0, 0), high = max(values.max() ?? 0, 0)
        let range = source.nearest(to: high - low)
        let scale = source.nearest(to: range / (highest - lowest))
        let quotient = low / scale
        // 0/0: nothing to shift.
        guard !quotient.isNaN else { return group(values, scale: source.scale(scale), zeroPoint: 0) }
        let zeroPoint = rounded(source.nearest(to: lowest - source.nearest(to: quotient)))
        return group(values, scale: source.scale(scale), zeroPoint: zeroPoint)
    }

    private func group(_ values: [Float], scale: Float, zeroPoint: Int) -> Group {
        let integers = values.map { value in
            rounded(source.nearest(to: source.nearest(to: value / scale) + Float(zeroPoint)))
        }
        return Group(scale: scale, zeroPoint: zeroPoint, integers: integers)
    }

    private func rounded(_ value: Float) -> Int {
        Int(min(max(value, lowest), highest).rounded(.toNearestOrEven))
    }

    /// Integers + 2^(b−1) in 32-bit words, the first in the lowest bits; zeros fill the last word.
    func words(_ integers: [Int]) -> [UInt8] {
        let perWord = 32 / bits, offset = 1 << (bits - 1)
        return stride(from: 0, to: integers.count, by: perWord).flatMap { start -> [UInt8] in
            var word: UInt32 = 0
            for (place, integer) in integers[start...].prefix(perWord).enumerated() {
                word |= UInt32(integer + offset) << UInt32(place * bits)
            }
            return word.littleEndianBytes
        }
    }
}
