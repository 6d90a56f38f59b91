import CQuernKernels
import Foundation

/// What the softmax of a row of logits needs: p_i = e^(x_i − maximum) / sum.
public struct Softmax: Sendable, Hashable {
    public let maximum: Float
    /// Index of the first of the largest logits.
    public let top: Int
    /// Σe^(x − maximum), in [1, count].
    public let sum: Double
    /// ln Σe^x.
    public let logSumExp: Double
}

extension Kernels {
    /// Sums over a row of logits, with the same bits on every machine: element i goes to accumulator i mod 16 in double
    /// precision, and the sixteen are added in order.
    /// - Parameter logits: 1 ... 2³¹ − 16 values; −∞ stands for a probability of zero.
    /// - Returns: nil where a logit is NaN or +∞, or all are −∞: there is no distribution then.
    public static func softmax(
        of logits: UnsafeBufferPointer<Float>, with set: InstructionSet = .best
    ) -> Softmax? {
        precondition(!logits.isEmpty && logits.count <= Int(Int32.max) - 15, "an index has 31 bits")
        guard let base = logits.baseAddress else { return nil }
        var result = quern_softmax()
        let done = quern_softmax_of(set.rawValue, base, logits.count, &result)
        precondition(done, "\(set) is not available")
        guard result.sum.isFinite else { return nil }
        return Softmax(
            maximum: result.maximum, top: Int(result.index), sum: result.sum,
            logSumExp: Double(result.maximum) + log(result.sum))
    }

    /// The Kullback–Leibler divergence Σp·ln(p/q) in nats of q = softmax(candidate) from p = softmax(reference).
    ///
    /// Computed as Σp·(e^−δ − 1 + δ), δ = ln(p/q), the same because both distributions sum to one. No term is negative,
    /// so that equal rows give exactly 0 and small divergences keep their relative precision.
    /// - Parameters:
    ///   - reference: logits.
    ///   - candidate: as many.
    ///   - referenceSoftmax: `softmax(of: reference)`.
    ///   - candidateSoftmax: `softmax(of: candidate)`.
    /// - Returns: at least 0; +∞ where the candidate gives no probability at all to what the reference gives some.
    public static func divergence(
        reference: UnsafeBufferPointer<Float>, candidate: UnsafeBufferPointer<Float>, referenceSoftmax: Softmax,
        candidateSoftmax: Softmax, with set: InstructionSet = .best
    ) -> Double {
        precondition(reference.count == candidate.count, "one vocabulary")
        guard let a = reference.baseAddress, let b = candidate.baseAddress else { return 0 }
        let ofA = quern_softmax(
            maximum: referenceSoftmax.maximum, index: UInt32(referenceSoftmax.top), sum: referenceSoftmax.sum)
        let ofB = quern_softmax(
            maximum: candidateSoftmax.maximum, index: UInt32(candidateSoftmax.top), sum: candidateSoftmax.sum)
        let offset = Float(referenceSoftmax.logSumExp - candidateSoftmax.logSumExp)
        var result = 0.0
        let done = withUnsafePointer(to: ofA) { ofA in
            withUnsafePointer(to: ofB) { ofB in
                quern_divergence(set.rawValue, a, b, reference.count, ofA, ofB, offset, &result)
            }
        }
        precondition(done, "\(set) is not available")
        return result
    }
}
