import Foundation
import QuernKernels
import TestSupport
import Testing

/// Softmax sums and divergences against plain double precision, and the same bits from every build.
@Suite struct SoftmaxTests {
    private func softmax(_ logits: [Float], with set: InstructionSet = .best) -> Softmax? {
        logits.withUnsafeBufferPointer { Kernels.softmax(of: $0, with: set) }
    }

    private func divergence(_ a: [Float], _ b: [Float], with set: InstructionSet = .best) throws -> Double {
        let (ofA, ofB) = (try #require(softmax(a, with: set)), try #require(softmax(b, with: set)))
        return a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
                Kernels.divergence(
                    reference: a, candidate: b, referenceSoftmax: ofA, candidateSoftmax: ofB, with: set)
            }
        }
    }

    /// ln Σe^x, one term after the other.
    private func logSumExp(_ logits: [Float]) -> Double {
        let maximum = Double(logits.max() ?? 0)
        return maximum + log(logits.reduce(0) { $0 + exp(Double($1) - maximum) })
    }

    private func plainDivergence(_ a: [Float], _ b: [Float]) -> Double {
        let (ofA, ofB) = (logSumExp(a), logSumExp(b))
        return zip(a, b).reduce(0) { sum, pair in
            let (p, q) = (Double(pair.0) - ofA, Double(pair.1) - ofB)
            return sum + exp(p) * (p - q) - exp(p) + exp(q)
        }
    }

    private func random(_ count: Int, seed: UInt64, spread: Float) -> [Float] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in Float.random(in: -spread...spread, using: &generator) }
    }

    @Test(arguments: [1, 2, 15, 16, 17, 31, 1000, 32003], [Float(0.1), 1, 10, 60])
    func agreesWithPlainArithmetic(count: Int, spread: Float) throws {
        let a = random(count, seed: UInt64(count), spread: spread)
        let noise = random(count, seed: 7, spread: spread / 50)
        let b = zip(a, noise).map(+)
        let sums = try #require(softmax(a))
        #expect(abs(sums.logSumExp - logSumExp(a)) <= 2e-7 * max(1, abs(logSumExp(a))))
        #expect(sums.maximum == a.max())
        #expect(sums.top == a.firstIndex(of: sums.maximum))
        let (expected, found) = (plainDivergence(a, b), try divergence(a, b))
        #expect(abs(found - expected) <= 1e-5 * expected + 1e-15)
        #expect(found >= 0)
    }

    @Test(arguments: [5, 16, 50, 2000])
    func sameBitsEverywhere(count: Int) throws {
        let a = random(count, seed: 1, spread: 20)
        let b = random(count, seed: 2, spread: 20)
        let (sums, found) = (softmax(a, with: .plain), try divergence(a, b, with: .plain))
        for set in InstructionSet.allCases {
            #expect(softmax(a, with: set) == sums, "\(set)")
            #expect(try divergence(a, b, with: set) == found, "\(set)")
        }
    }

    @Test(arguments: InstructionSet.allCases)
    func smallDivergencesKeepTheirDigits(with set: InstructionSet) throws {
        // One of two equal logits raised by ε: KLD = ln cosh(ε/2) = ε²/8 − …, far below what rounds in a probability.
        for epsilon: Float in [1e-2, 1e-3, 1e-4, 1e-5] {
            let expected = log(cosh(Double(epsilon) / 2))
            let found = try divergence([0, 0], [epsilon, 0], with: set)
            #expect(abs(found - expected) < 1e-3 * expected, "\(epsilon)")
        }
    }

    @Test(arguments: InstructionSet.allCases)
    func knownCases(with set: InstructionSet) throws {
        let infinity = Float.infinity
        #expect(softmax([3, 3, 3, 3], with: set)?.sum == 4)
        #expect(softmax([3, 3, 3, 3], with: set)?.top == 0)
        #expect(softmax([-infinity, 2], with: set)?.sum == 1)
        #expect(softmax([Float](repeating: 1, count: 40) + [2, 2], with: set)?.top == 40)
        // Equal rows, one-hot or not, and rows that differ by a constant.
        #expect(try divergence([-infinity, 5, -infinity], [-infinity, 5, -infinity], with: set) == 0)
        #expect(try divergence([1, 2, 3], [1, 2, 3], with: set) == 0)
        #expect(try divergence([1, 2, 3], [101, 102, 103], with: set) < 1e-12)
        // All weight on one of two equally likely ones: ln 2. The other way round something is lost without return.
        #expect(abs(try divergence([0, -infinity], [0, 0], with: set) - log(2)) < 1e-7)
        #expect(try divergence([0, 0], [0, -infinity], with: set) == .infinity)
        // Beyond what single precision can tell from nothing: p(a) is 0, and that is no reason to say NaN.
        #expect(try divergence([0, -200], [0, -infinity], with: set) == 0)
    }

    @Test(
        arguments: InstructionSet.allCases,
        [
            [Float.nan], [0, .nan, 1], [.infinity, 0], [Float](repeating: 0, count: 20) + [.nan], [-.infinity],
            [Float](repeating: -.infinity, count: 33),
        ])
    func noDistribution(with set: InstructionSet, logits: [Float]) {
        #expect(softmax(logits, with: set) == nil)
    }
}
