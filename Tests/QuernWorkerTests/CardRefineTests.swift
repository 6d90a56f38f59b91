import QuernFormats
import QuernKernels
import QuernWorker
import TestSupport
import Testing

/// Blocks refined on cards: the processor's bytes.
@Suite struct CardRefineTests {
    private static let types = EncodableTypes.all.filter(\.isRefined)

    /// Rows as models have them, of zeros, of one sign, with values that stand out, and beyond what scales can be.
    private static func rows(_ count: Int, columns: Int, seed: UInt64) -> [Float] {
        var random = SeededGenerator(seed: seed)
        func normal() -> Float { (0..<4).reduce(0) { sum, _ in sum + Float.random(in: -1...1, using: &random) } }
        return (0..<count).flatMap { row -> [Float] in
            let scale: Float = [1, 1e-3, 40, 1, 1e30][row % 5]
            return (0..<columns).map { column in
                switch row % 6 {
                case 1: column % 64 < 32 ? 0 : normal() * scale
                case 2: normal().magnitude * scale
                case 3: normal() * (column % 41 == 0 ? 30 : 1)
                default: normal() * scale
                }
            }
        }
    }

    /// - Parameter widths: of its blocks, in blocks of the type.
    private static func refining(_ type: ElementType, widths: [Int], seed: UInt64) throws -> Refining {
        var random = SeededGenerator(seed: seed)
        var blocks: [Feedback.Block] = []
        for width in widths.map({ $0 * type.blockSize }) {
            // Of inputs that follow their neighbours.
            let sizes = (0..<width).map { _ in Double.random(in: 0.5...4, using: &random) }
            let gram = (0..<width).flatMap { row in
                (row..<width).map { sizes[row] * sizes[$0] * Double(sign: .plus, exponent: row - $0, significand: 1) }
            }
            blocks.append(
                try Feedback.Block(
                    gram: gram[...], count: width, first: blocks.reduce(0) { $0 + $1.order.count },
                    unit: type.blockSize, run: type.refinedRun))
        }
        let columns = blocks.reduce(0) { $0 + $1.order.count }
        return Refining(
            importance: (0..<columns).map { _ in Float.random(in: 0...2, using: &random) },
            feedback: SharedFeedback(Feedback(blocks: blocks)))
    }

    private static func refine(
        _ type: ElementType, _ rows: [Float], by refining: Refining, on engine: any EncodingEngine
    ) throws -> CardRig.Encoded {
        var bytes = [UInt8](repeating: 0xa5, count: type.bytes(elements: rows.count) ?? 0)
        var error: EncodingError? = EncodingError(squaredError: 1e-3, squaredNorm: 1e3)
        try rows.withUnsafeBufferPointer { rows in
            try bytes.withUnsafeMutableBytes {
                try engine.refine(
                    type, rows: rows, columns: refining.importance.count, by: refining, into: $0, error: &error,
                    Scratch())
            }
        }
        return CardRig.Encoded(bytes: bytes, error: error)
    }

    private func isSame(_ rig: CardRig, _ type: ElementType, _ rows: [Float], by refining: Refining) throws -> Bool {
        let found = try Self.refine(type, rows, by: refining, on: rig.engine)
        let wanted = try Self.refine(type, rows, by: refining, on: ProcessorEngine())
        // They are no numbers where a scale was beyond half precision.
        func isSame(_ part: (EncodingError) -> Double) -> Bool {
            guard let a = found.error.map(part), let b = wanted.error.map(part) else { return false }
            return a == b || a.isNaN && b.isNaN
        }
        return found.bytes == wanted.bytes && isSame(\.squaredError) && isSame(\.squaredNorm)
    }

    /// Feedbacks of one block of the type, of several and of some one after the other; more rows than a tile and than a
    /// call of the processor has.
    @Test(arguments: types)
    func refines(_ type: ElementType) throws {
        let rig = try CardRig()
        let several = type.blockSize == 32 ? 11 : 3
        for (seed, (widths, count)) in [([1], 1), ([several], 37), ([2, 1, several], 131)].enumerated() {
            let refining = try Self.refining(type, widths: widths, seed: UInt64(seed))
            let rows = Self.rows(count, columns: refining.importance.count, seed: UInt64(seed))
            let isSame = try isSame(rig, type, rows, by: refining)
            #expect(isSame, "\(widths), \(count) rows")
        }
        try rig.expectTheyDidIt {
            let refining = try Self.refining(type, widths: [1], seed: 7)
            return try isSame(rig, type, Self.rows(3, columns: type.blockSize, seed: 7), by: refining)
        }
    }

    /// Factors one after the other, and one with several importances.
    @Test func goesByTheRightFactor() throws {
        let rig = try CardRig()
        let (first, second) = (
            try Self.refining(.q4_K, widths: [2], seed: 1), try Self.refining(.q4_K, widths: [2], seed: 2)
        )
        let mixed = Refining(importance: second.importance, feedback: first.feedback)
        let rows = Self.rows(9, columns: 512, seed: 3)
        for refining in [first, second, mixed, first] {
            let isSame = try isSame(rig, .q4_K, rows, by: refining)
            #expect(isSame)
        }
    }

    /// What fails on a card is done by the processor, and nothing of what the card had begun is left over.
    @Test(arguments: [
        "cuMemAlloc_v2:1+:2", "cuMemAlloc_v2:9:2", "cuLaunchKernel:1:719", "cuLaunchKernel:30:1",
        "cuMemcpyHtoDAsync_v2:3:700", "cuEventSynchronize:2:999",
    ])
    func fallsBack(_ failure: String) throws {
        let rig = try CardRig([:])
        let refining = try Self.refining(.iq3_s, widths: [2], seed: 1)
        try rig.set("FAILURES", failure)
        for _ in 0..<2 {
            let isSame = try isSame(rig, .iq3_s, Self.rows(37, columns: 512, seed: 1), by: refining)
            #expect(isSame)
        }
    }

    /// A card that refines wrongly is found when it is first to refine some.
    @Test func refusesWrongCards() throws {
        let rig = try CardRig([:])
        try rig.set("FLIPS", "1")
        let isSame = try isSame(
            rig, .q6_K, Self.rows(3, columns: 256, seed: 1), by: Self.refining(.q6_K, widths: [1], seed: 1))
        #expect(isSame)
    }
}
