import QuernFormats

/// A number for each channel of an input: what makes it is divided by them, the columns of weights that read it are
/// multiplied by them.
struct BalanceVector {
    /// Positive and finite.
    var values: [Float]

    /// Little-endian F32.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: values, \.bitPattern)
        return bytes
    }

    init(values: [Float]) { self.values = values }

    /// - Throws: `QuernError` `.invalidInput` where the bytes are no such vector of so many channels.
    init(bytes: [UInt8], channels: Int) throws(QuernError) {
        let values = bytes.littleEndianFloats
        guard bytes.count == 4 * channels, values.allSatisfy({ $0 > 0 && $0.isFinite }) else {
            throw QuernError(.invalidInput, "it is no balance of \(channels) channels")
        }
        self.values = values
    }
}

extension BalanceVector {
    /// Numbers stay within these.
    private static let range = 1e-4...1e4

    /// Powers of the mean magnitudes of an input and of its weights that AWQ tries (Lin et al., "AWQ: Activation-aware
    /// Weight Quantization", 2023): x^r / w^(1 − r), divided by the geometric mean of the largest and the least. Channels
    /// that are never used, or have no weights, stay as they are.
    static func power(_ r: Double, inputs: [Double], weights: [Double]) -> BalanceVector {
        let logarithms = zip(inputs, weights).map { input, weight in
            input > 0 && weight > 0 ? r * input.binaryLogarithm - (1 - r) * weight.binaryLogarithm : nil
        }
        let used = logarithms.compactMap(\.self)
        let middle = ((used.min() ?? 0) + (used.max() ?? 0)) / 2
        return BalanceVector(
            values: logarithms.map { logarithm in
                logarithm.map { Float(clamp(($0 - middle).powerOfTwo)) } ?? 1
            })
    }

    /// √(x / w) of the largest magnitudes of an input and of its weights (Xiao et al., "SmoothQuant: Accurate and Efficient
    /// Post-Training Quantization for Large Language Models", 2022, with α = 0.5).
    static func smoothing(inputs: [Float], weights: [Float]) -> BalanceVector {
        BalanceVector(
            values: zip(inputs, weights).map { input, weight in
                input > 0 && weight > 0 ? Float(clamp((Double(input) / Double(weight)).squareRoot())) : 1
            })
    }

    /// Makes up for what a norm's factors lose where they are stored, so that the function of the model stays.
    /// - Parameters:
    ///   - factors: what the channels are multiplied by before anything is changed.
    ///   - stored: what they will be multiplied by.
    mutating func settle(factors: [Double], stored: [Double]) {
        for index in values.indices {
            let settled = Float(factors[index] / stored[index])
            values[index] = settled > 0 && settled.isFinite ? settled : 1
        }
    }

    private static func clamp(_ value: Double) -> Double { min(max(value, range.lowerBound), range.upperBound) }
}

// Logarithms and powers by sums and products alone: libraries differ in the last bits.
extension Double {
    /// log₂ of a positive finite number.
    var binaryLogarithm: Double {
        var (power, significand) = (Double(exponent), significand)
        if significand > 1.414_213_562_373_095_1 {
            significand /= 2
            power += 1
        }
        // ln m = 2·artanh((m − 1) / (m + 1)), of at most 0.172.
        let ratio = (significand - 1) / (significand + 1)
        let square = ratio * ratio
        var sum = 0.0
        for term in stride(from: 25, through: 1, by: -2) { sum = sum * square + 1 / Double(term) }
        return power + 2 * ratio * sum / 0.693_147_180_559_945_3
    }

    /// 2 to this, within ±1000.
    var powerOfTwo: Double {
        let limited = Swift.min(Swift.max(self, -1000), 1000)
        let whole = limited.rounded()
        let exponent = (limited - whole) * 0.693_147_180_559_945_3
        var sum = 1.0
        for term in stride(from: 18, through: 1, by: -1) { sum = sum * exponent / Double(term) + 1 }
        return Double(sign: .plus, exponent: Int(whole), significand: sum)
    }
}
