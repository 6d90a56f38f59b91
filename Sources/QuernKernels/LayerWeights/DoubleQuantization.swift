import QuernFormats

/// Magnitudes of NF4 groups as bitsandbytes stores them: less an offset, as 8-bit codes of a dynamic type (Dettmers, "8-Bit
/// Approximations for Parallelism in Deep Learning", 2015) under the largest of 256.
public enum DoubleQuantization {
    private static let middles = zip(NF4.magnitudeCodes, NF4.magnitudeCodes.dropFirst()).map { ($0 + $1) / 2 }

    /// - Returns: a code for each magnitude, and the scale of each group of `length`, the last perhaps shorter.
    public static func quantize(
        _ magnitudes: [Float], offset: Float, group length: Int
    ) -> (codes: [UInt8], scales: [Float]) {
        var found = (codes: [UInt8](), scales: [Float]())
        for first in stride(from: 0, to: magnitudes.count, by: length) {
            let group = magnitudes[first..<min(first + length, magnitudes.count)].map { $0 - offset }
            let largest = group.reduce(0) { max($0, $1.magnitude) }
            let inverse = 1 / max(largest, 1e-38)
            found.scales.append(largest)
            found.codes += group.map { code(min(max($0 * inverse, -1), 1)) }
        }
        return found
    }

    /// The code nearest to a number within ±1.
    private static func code(_ value: Float) -> UInt8 {
        var (low, high) = (0, middles.count)
        while low < high {
            let middle = (low + high) / 2
            if middles[middle] < value { low = middle + 1 } else { high = middle }
        }
        return UInt8(low)
    }

    /// The magnitudes that loaders compute.
    /// - Parameter skipped: those that the first group has before these.
    public static func dequantize(
        _ codes: [UInt8], scales: [Float], offset: Float, group length: Int, skipped: Int = 0
    ) -> [Float] {
        codes.enumerated().map { index, code in
            NF4.magnitudeCodes[Int(code)] * scales[(index + skipped) / length] + offset
        }
    }
}
