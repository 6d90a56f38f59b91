import Foundation
import QuernFormats

/// The tensor `rope_freqs.weight`: what each inverse frequency is divided by under Llama 3's RoPE scaling.
enum RopeFactors {
    /// - Parameter headSize: even, at least 2.
    /// - Returns: headSize/2 divisors of at least 1, the fastest rotation first; every step in float32, as the
    ///   reference converter takes it.
    static func llama3(_ scaling: RopeParameters.Llama3, theta: Double, headSize: Int) -> [Float] {
        let factor = Float(scaling.factor)
        let low = Float(scaling.lowFrequencyFactor)
        let context = Float(scaling.originalContext)
        // Quotients and differences of settings are taken in float64, then rounded once.
        let longest = Float(Double(scaling.originalContext) / scaling.lowFrequencyFactor)
        let shortest = Float(Double(scaling.originalContext) / scaling.highFrequencyFactor)
        let width = Float(scaling.highFrequencyFactor - scaling.lowFrequencyFactor)
        return stride(from: 0, to: headSize, by: 2).map { index in
            let exponent = Float(index) / Float(headSize)
            let frequency = 1 / Float(pow(Double(Float(theta)), Double(exponent)))
            let wavelength = Float(2 * Double.pi) / frequency
            if wavelength < shortest { return 1 }
            if wavelength > longest { return factor }
            let smooth = (context / wavelength - low) / width
            return 1 / ((1 - smooth) / factor + smooth)
        }
    }
}
