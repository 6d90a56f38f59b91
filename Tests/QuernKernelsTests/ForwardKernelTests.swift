import CQuernKernels
import Foundation
import QuernKernels
import TestSupport
import Testing

/// Steps of a decoder against double precision, in every build of the kernels, for rows with and without a rest.
@Suite struct ForwardKernelTests {
    private static let cases = InstructionSet.allCases.flatMap { set in [1, 15, 16, 33, 100].map { (set, $0) } }

    private func steps(_ set: InstructionSet) throws -> quern_forward_kernels {
        try #require(quern_forward(set.rawValue)).pointee
    }

    private func row(_ count: Int, _ seed: UInt64, within range: ClosedRange<Float> = -8...8) -> [Float] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in Float.random(in: range, using: &random) }
    }

    private func isNear(_ found: [Float], _ expected: [Double], _ tolerance: Double = 5e-7) -> Bool {
        found.count == expected.count
            && zip(found, expected).allSatisfy { abs(Double($0) - $1) <= tolerance * max(abs($1), 1e-30) }
    }

    @Test(arguments: cases) func norms(_ set: InstructionSet, _ count: Int) throws {
        let steps = try steps(set)
        let (x, weight, bias) = (row(count, 1), row(count, 2), row(count, 3))
        var found = x
        steps.rms_norm(x, count, weight, 1e-5, &found)
        let wide = x.map(Double.init)
        let scale = 1 / (wide.reduce(0) { $0 + $1 * $1 } / Double(count) + Double(Float(1e-5))).squareRoot()
        #expect(isNear(found, zip(wide, weight).map { $0 * scale * Double($1) }))

        steps.layer_norm(x, count, weight, bias, 1e-5, &found)
        let mean = wide.reduce(0, +) / Double(count)
        let spread = wide.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
        let expected = (0..<count).map {
            (wide[$0] - mean) / (spread + Double(Float(1e-5))).squareRoot() * Double(weight[$0]) + Double(bias[$0])
        }
        #expect(zip(found, expected).allSatisfy { abs(Double($0) - $1) < 2e-5 })
    }

    @Test(arguments: cases) func activations(_ set: InstructionSet, _ count: Int) throws {
        let steps = try steps(set)
        let (gate, up) = (row(count, 4, within: -12...12), row(count, 5, within: -12...12))
        func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
        var found = gate
        steps.silu(gate, up, count, &found)
        #expect(isNear(found, zip(gate, up).map { Double($0) * sigmoid(Double($0)) * Double($1) }))
        steps.clamped_silu(gate, up, count, 1.702, 7, &found)
        #expect(
            isNear(
                found,
                zip(gate, up).map { gate, up in
                    let (g, u) = (min(Double(gate), 7), max(-7, min(Double(up), 7)))
                    return (u + 1) * g * sigmoid(g * Double(Float(1.702)))
                }, 2e-6))
        steps.gelu(gate, nil, count, &found)
        let gelu = gate.map { x -> Double in
            let x = Double(x)
            return 0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
        }
        // 1 + tanh loses digits far below zero, where nothing is left of the value either.
        #expect(zip(found, gelu).allSatisfy { abs(Double($0) - $1) < 1e-6 * max(1, abs($1)) })
        var capped = gate
        steps.soft_cap(&capped, count, 0.5, 3)
        #expect(isNear(capped, gate.map { 3 * tanh(Double($0) * 0.5 / 3) }))
    }

    /// Near zero as well: the relative precision stays.
    @Test(arguments: InstructionSet.allCases) func tangentsOfSmallValues(_ set: InstructionSet) throws {
        let values: [Float] = [0, 1e-30, 1e-7, -1e-4, 0.01, 0.1732, -0.1734, 0.35, 1, -9.9, 11, 1e30]
        var found = values
        try steps(set).soft_cap(&found, found.count, 1, 1)
        #expect(isNear(found, values.map { tanh(Double($0)) }))
    }

    @Test(arguments: cases, [nil, 2, 30] as [Float?]) func softmax(_ found: (InstructionSet, Int), _ sink: Float?)
        throws
    {
        let (set, count) = found
        let values = row(count, 6)
        var result = values
        if var sink {
            try steps(set).softmax(&result, count, &sink)
        } else {
            try steps(set).softmax(&result, count, nil)
        }
        let all = values + (sink.map { [$0] } ?? [])
        let maximum = Double(all.max() ?? 0)
        let sum = all.reduce(0.0) { $0 + exp(Double($1) - maximum) }
        // The difference from the maximum is rounded, and its error is that of the exponential.
        #expect(isNear(result, values.map { exp(Double($0) - maximum) / sum }, 5e-6))
    }

    @Test(arguments: cases) func rotations(_ set: InstructionSet, _ pairs: Int) throws {
        let angles = row(pairs, 7)
        let (cosines, sines) = (angles.map { Float(cos($0)) }, angles.map { Float(sin($0)) })
        let values = row(2 * pairs, 8)
        var halves = values
        try steps(set).rotate_halves(&halves, cosines, sines, pairs)
        var neighbours = values
        try steps(set).rotate_neighbours(&neighbours, cosines, sines, pairs)
        for i in 0..<pairs {
            for (found, a, b) in [(halves, i, i + pairs), (neighbours, 2 * i, 2 * i + 1)] {
                #expect(abs(found[a] - (values[a] * cosines[i] - values[b] * sines[i])) < 1e-5)
                #expect(abs(found[b] - (values[b] * cosines[i] + values[a] * sines[i])) < 1e-5)
            }
        }
    }

    @Test(arguments: cases) func halvesMakeTheWhole(_ set: InstructionSet, _ count: Int) throws {
        let values = row(count, 9, within: -1e6...1e6)
        var (high, low) = ([UInt16](repeating: 0, count: count), [UInt16](repeating: 0, count: count))
        try steps(set).split(values, count, &high, &low)
        for index in 0..<count {
            let sum =
                Double(Float(bitPattern: UInt32(high[index]) << 16))
                + Double(Float(bitPattern: UInt32(low[index]) << 16))
            #expect(abs(sum - Double(values[index])) <= abs(Double(values[index])) * 0x1p-16)
        }
    }
}
