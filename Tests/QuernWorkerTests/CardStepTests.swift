import Foundation
import QuernModel
import QuernPlanning
import QuernWorker
import TestSupport
import Testing

/// Steps of forward passes on cards: the processor's bits.
@Suite struct CardStepTests {
    /// Does the same on a card and on the processor, and expects the same rows from both.
    private func compare(
        _ values: [Float], _ step: (any ForwardEngine, any ForwardLane, UnsafeMutablePointer<Float>) throws -> Void
    ) throws {
        func result(_ engine: any ForwardEngine) throws -> [UInt32] {
            let lane = try engine.makeLane()
            let buffer = try engine.vector(values)
            try step(engine, lane, buffer.base)
            let bits = try lane.read(buffer.base, count: values.count) { $0.map(\.bitPattern) }
            try lane.finish()
            return bits
        }
        let expected = try result(MatrixEngine())
        let found = try CardRig(computesForward: true).engine.withForwardEngine(on: .cuda) { engine in
            #expect(engine.arithmetic.contains("cuBLASLt"))
            return try result(engine)
        }
        #expect(found == expected)
        #expect(expected != values.map(\.bitPattern), "the step changed nothing")
    }

    private static func values(_ count: Int, seed: UInt64 = 1, in range: ClosedRange<Float> = -4...4) -> [Float] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in Float.random(in: range, using: &random) }
    }

    @Test(arguments: [Norm.Kind.rms, .layer], [(1, 5), (3, 16), (2, 100)])
    func norms(_ kind: Norm.Kind, _ shape: (parts: Int, width: Int)) throws {
        let (rows, stride) = (5, shape.parts * shape.width + 3)
        let weight = Self.values(shape.width, seed: 2), bias = Self.values(shape.width, seed: 3)
        try compare(Self.values(rows * stride)) { engine, lane, base in
            let loaded = try LoadedNorm(
                kind, epsilon: 1e-5, weight: weight, bias: kind == .layer ? bias : nil, on: engine)
            let rows = Rows(base: base, stride: stride)
            try lane.normalize(rows, by: loaded, to: rows, parts: shape.parts, count: 5)
        }
    }

    @Test(arguments: [Rope.Pairing.halves, .neighbours], [1, 8, 19])
    func rotations(_ pairing: Rope.Pairing, _ pairs: Int) throws {
        let (rows, heads, length) = (4, 3, 2 * pairs + 1)
        let angles = Self.values(rows * pairs, seed: 4)
        try compare(Self.values(rows * heads * length)) { engine, lane, base in
            let rope = try LoadedRope(
                pairing: pairing, pairs: pairs, cosines: angles.map { cos($0) }, sines: angles.map { sin($0) },
                on: engine)
            try lane.rotate(
                Rows(base: base, stride: heads * length), heads: heads, length: length, count: rows, by: rope)
        }
    }

    @Test(arguments: [Activation.silu, .gelu, .clampedSilu(alpha: 1.702, limit: 2)], [true, false])
    func activations(_ activation: Activation, _ isGated: Bool) throws {
        guard isGated || activation == .gelu else { return }
        let (rows, width) = (6, 37)
        // Beyond what the exponential reaches, and where it is finest.
        let wide = Self.values(rows * width, in: -120...120), fine = Self.values(rows * width, in: -0.01...0.01)
        for gate in [wide, fine, Self.values(rows * width)] {
            try compare(gate + Self.values(rows * width, seed: 5)) { _, lane, base in
                let gate = Rows(base: base, stride: width)
                try lane.activate(
                    activation, gate: gate, up: isGated ? gate.from(row: rows) : nil, into: gate, width: width,
                    count: rows)
            }
        }
    }

    @Test func scalesCapsAndSums() throws {
        let (rows, width, stride) = (7, 21, 24)
        try compare(Self.values(2 * rows * stride)) { _, lane, base in
            let target = Rows(base: base, stride: stride), other = target.from(row: rows)
            try lane.scale(target, by: 0.3, width: width, count: rows)
            try lane.softCap(target, scale: 0.7, cap: 1.5, width: width, count: rows)
            try lane.add(other, scale: -1.1, to: target, width: width, count: rows)
            try lane.add(Rows(base: other.base, stride: 0), scale: 1, to: other.from(row: 1), width: width, count: 3)
            try lane.copy(target, to: other.from(row: 4), width: width, count: 2)
            try lane.clear(base + 5 * stride, count: 11)
        }
    }

    /// Weights of several pieces, of which each has its place: integers, whose products are exact.
    @Test(arguments: [true, false])
    func packsPieces(_ areBF16: Bool) throws {
        let (rows, outputs, inputs) = (2, 2100, 1024)
        let input = (0..<rows * inputs).map { Float($0 % 5 - 2) }
        let weights = (0..<outputs * inputs).map { Float(($0 / inputs * 31 + $0 % inputs * 7) % 17 - 8) }
        try CardRig(computesForward: true).engine.withForwardEngine(on: .cuda) { engine in
            let lane = try engine.makeLane()
            let matrix = try engine.matrix(outputs: outputs, inputs: inputs, areBF16: areBF16)
            #expect(matrix.pieces.count > 2)
            for piece in matrix.pieces {
                let values = try lane.staging(piece.count * inputs)
                for place in 0..<piece.count * inputs { values[place] = weights[piece.lowerBound * inputs + place] }
                try lane.pack(matrix, piece, values)
            }
            let values = try engine.vector(input)
            let result = try engine.allocate(RowPadding.up(rows) * outputs)
            try lane.multiply(values.base, by: matrix, rows: rows, into: result.base)
            let found = try lane.read(result.base, count: rows * outputs) { Array($0) }
            let expected = (0..<rows * outputs).map { place in
                (0..<inputs).reduce(Float(0)) {
                    $0 + input[place / outputs * inputs + $1] * weights[place % outputs * inputs + $1]
                }
            }
            let isEqual = found == expected
            #expect(isEqual)
        }
    }

    /// Objects that nobody mentions any more before the steps are done that read them: their memory is theirs till then.
    @Test(arguments: ["weights", "norm", "rotation", "attention", "held"])
    func keepsWhatStepsRead(_ step: String) throws {
        let (rows, width) = (4, 32)
        /// - Returns: how many values the objects have that are gone now.
        func work(_ engine: any ForwardEngine, _ lane: any ForwardLane, _ base: UnsafeMutablePointer<Float>) throws
            -> Int
        {
            let all = Rows(base: base, stride: width)
            switch step {
            case "weights":
                let matrix = try engine.matrix(outputs: width, inputs: width, areBF16: true)
                let values = try lane.staging(width * width)
                for place in 0..<width * width { values[place] = Float(place % 7) }
                try lane.pack(matrix, 0..<width, values)
                // The weights are there, and the product is to come.
                try lane.finish()
                try lane.multiply(base, by: matrix, rows: rows, into: base + 16 * width)
                return width * width / 2
            case "norm":
                let norm = try LoadedNorm(
                    .layer, epsilon: 1e-5, weight: Self.values(width, seed: 2), bias: Self.values(width, seed: 3),
                    on: engine)
                try lane.normalize(all, by: norm, to: all, parts: 1, count: rows)
                return width
            case "rotation":
                let rope = try LoadedRope(
                    pairing: .halves, pairs: width / 2, cosines: Self.values(rows * width / 2, seed: 2),
                    sines: Self.values(rows * width / 2, seed: 3), on: engine)
                try lane.rotate(all, heads: 1, length: width, count: rows, by: rope)
                return rows * width / 2
            case "attention":
                let heads = AttentionHeads(
                    heads: 4, group: 1, keyLength: 8, valueLength: 8, softCap: nil, window: nil)
                try lane.attend(
                    heads, queries: all, keys: all.from(row: 4), values: all.from(row: 8),
                    sinks: LoadedSinks([4, 3, 2, 1], on: engine), into: all.from(row: 16), positions: 0..<rows)
                return 4
            default:
                let bias = try engine.vector(Self.values(width, seed: 2))
                lane.hold(bias)
                try lane.add(Rows(base: bias.base, stride: 0), scale: 1, to: all, width: width, count: rows)
                return width
            }
        }
        try CardRig(computesForward: true).engine.withForwardEngine(on: .cuda) { engine in
            func result(afterwards: (Int) throws -> Void) throws -> [Float] {
                let lane = try engine.makeLane()
                let buffer = try engine.vector(Self.values(32 * width))
                // So that buffers of the lane are there, and nothing makes it wait the second time.
                _ = try work(engine, lane, buffer.base)
                try lane.finish()
                let second = try engine.vector(Self.values(32 * width, seed: 9))
                try afterwards(work(engine, lane, second.base))
                return try lane.read(second.base, count: 32 * width) { Array($0) }
            }
            let expected = try result { _ in }
            var others: [any ValueBuffer] = []
            let found = try result { count in
                for _ in 0..<16 { others.append(try engine.vector([Float](repeating: 77, count: count))) }
            }
            #expect(others.count == 16)
            let isEqual = found == expected
            #expect(isEqual)
        }
    }

    @Test func gathersAndScatters() throws {
        let width = 13
        try compare(Self.values(12 * width)) { _, lane, base in
            try lane.gather([3, 0, 5], of: base, into: base + 6 * width, width: width)
            try lane.scatter(
                base + 6 * width,
                to: [
                    RowPlacement(row: 4, weight: 0.25), RowPlacement(row: 1, weight: -3),
                    RowPlacement(row: 2, weight: 0),
                ], of: base, width: width)
            // Lists of many calls, more than are kept at once.
            for round in 0..<40 {
                let placements = (0..<4096).map { _ in RowPlacement(row: Int32(round % 12), weight: 0.5) }
                try lane.scatter(base + 6 * width, to: Array(placements.prefix(1)), of: base, width: width)
                try lane.gather(
                    placements.map(\.row), of: base, into: try lane.take(.gathered, 4096 * width), width: width)
            }
        }
    }

    /// Scores are single products, and values the identity: what comes out are the probabilities themselves.
    @Test(arguments: [nil, 3], [nil, 1.5 as Float])
    func probabilities(_ window: Int?, _ cap: Float?) throws {
        let (positions, heads) = (37, 4)
        let queries = Self.values(positions * heads), keys = Self.values(positions * 2, seed: 7, in: -9...9)
        let identity = (0..<positions * positions * 2).map { place in
            Float(place / (2 * positions) == place % positions ? 1 : 0)
        }
        let shape = AttentionHeads(
            heads: heads, group: 2, keyLength: 1, valueLength: positions, softCap: cap, window: window)
        let blank = [Float](repeating: 0, count: positions * positions * heads)
        for (wanted, hasSinks) in [(0..<positions, true), (20..<positions, false)] {
            try compare(blank + queries + keys + identity) { engine, lane, base in
                let first = Rows(base: base + blank.count, stride: heads)
                let second = Rows(base: first.base + queries.count, stride: 2)
                try lane.attend(
                    shape, queries: first, keys: second,
                    values: Rows(base: second.base + keys.count, stride: 2 * positions),
                    sinks: hasSinks ? try LoadedSinks([0.5, -1, 9, 0], on: engine) : nil,
                    into: Rows(base: base, stride: heads * positions), positions: wanted)
            }
        }
    }

    @Test func moments() throws {
        let (rows, width) = (50, 23)
        let values = Self.values(rows * width)
        let expected = values.withUnsafeBufferPointer { RowMoments(of: $0, columns: width) }
        let found = try CardRig(computesForward: true).engine.withForwardEngine(on: .cuda) { engine in
            let lane = try engine.makeLane()
            let buffer = try engine.vector(values)
            defer { withExtendedLifetime(buffer) {} }
            return try lane.moments(buffer.base, width: width, count: rows)
        }
        #expect(found == expected)
    }

    /// Blocks along the diagonal, more rows than are multiplied at once, chunks that overtake each other or do not come.
    @Test(arguments: [100, 40, 7]) func grams(widest: Int) throws {
        let layout = GramLayout(channels: 100, widest: widest)
        let counts = [530, 1, 0, 64, 9]
        // Of sizes so different that sums show in which order they were added.
        let sizes: [Float] = [1, 1e5, 1, 1e-4, 3e4]
        let chunks = counts.indices.map { chunk in
            Self.values(counts[chunk] * 100, seed: UInt64(chunk + 1)).map { $0 * sizes[chunk] }
        }
        func sums(_ engine: any ForwardEngine, order: [Int]) throws -> [Double] {
            let gram = try engine.makeLane().makeGram(layout)
            for chunk in order {
                let (lane, buffer) = (try engine.makeLane(), try engine.vector(chunks[chunk]))
                try gram.add(
                    ObservedRows(buffer.base, count: counts[chunk], channels: 100, lane: lane), chunk: chunk)
                try lane.finish()
                withExtendedLifetime(buffer) {}
            }
            return try gram.finish()
        }
        let expected = try sums(MatrixEngine(), order: [0, 1, 2, 3, 4])
        try CardRig(computesForward: true).engine.withForwardEngine(on: .cuda) { engine in
            let found = try sums(engine, order: [0, 1, 2, 3, 4])
            #expect(found.count == layout.values && expected.count == layout.values)
            let largest = expected.map(abs).max() ?? 0
            #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= 1e-6 * largest })
            #expect(try sums(engine, order: [4, 1, 3, 0, 2]) == found)
            #expect(try sums(engine, order: [3, 4, 0, 1]) == found)
        }
    }

    /// Lent rows stay as they are while others are lent.
    @Test func lendsRowsWithinRows() throws {
        try CardRig(computesForward: true).engine.withForwardEngine(on: .cuda) { engine in
            let lane = try engine.makeLane()
            let (a, b) = (try engine.vector([1, 2, 3]), try engine.vector([4, 5, 6]))
            let all = try lane.read(a.base, count: 3) { first in
                try lane.read(b.base, count: 3) { second in Array(first) + Array(second) }
            }
            #expect(all == [1, 2, 3, 4, 5, 6])
        }
    }
}
