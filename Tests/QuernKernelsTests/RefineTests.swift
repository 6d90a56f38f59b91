import QuernFormats
import QuernKernels
import Testing

/// Blocks whose columns make good the errors of those before them.
@Suite struct RefineTests {
    static let types = EncodableTypes.all.filter(\.isRefined)

    private static func feedback(
        _ draw: inout OddRows, for type: ElementType, columns: Int, widest: Int
    ) throws -> Feedback {
        try FitTests.feedback(&draw, columns: columns, widest: widest, unit: type.blockSize, run: type.refinedRun)
    }

    private static func refined(
        _ type: ElementType, _ rows: [Float], columns: Int, _ importance: [Float], _ feedback: Feedback,
        with set: InstructionSet = .best
    ) -> [UInt8] {
        // What was there before shall not show.
        var bytes = [UInt8](repeating: 0xa5, count: type.bytes(elements: rows.count) ?? 0)
        rows.withUnsafeBufferPointer { rows in
            bytes.withUnsafeMutableBytes { bytes in
                withUnsafeTemporaryAllocation(of: Float.self, capacity: Kernels.refiningScratch(columns: columns)) {
                    Kernels.refine(
                        type, rows: rows, columns: columns, importance: importance, feedback: feedback, scratch: $0,
                        into: bytes, with: set)
                }
            }
        }
        return bytes
    }

    /// Holds every instruction set against the reference.
    private static func compare(
        _ type: ElementType, _ rows: [Float], columns: Int, _ importance: [Float], _ feedback: Feedback, seed: UInt64
    ) {
        let expected = ReferenceRefined.encode(
            type, rows: rows, columns: columns, importance: importance, feedback: feedback)
        for set in InstructionSet.allCases {
            let bytes = refined(type, rows, columns: columns, importance, feedback, with: set)
            let difference = firstDifference(type, columns: columns, bytes, expected)
            #expect(difference == nil, "\(set), \(rows.count / columns) × \(columns), QUERN_TEST_SEED=\(seed)")
        }
    }

    @Test(arguments: types)
    func kernelsAgreeWithTheReference(_ type: ElementType) throws {
        var draw = OddRows(salt: 9800 + Int(type.rawValue))
        let size = type.blockSize
        // The reference tries every point of a code book.
        let shapes = type.refinedRun == 1 ? [(3, 3, 3), (37, 1, 1), (65, 3, 2)] : [(3, 3, 2), (33, 1, 1)]
        for (count, blocks, widest) in shapes {
            let columns = blocks * size
            let rows = FitTests.rows(&draw, count, columns: columns)
            let importance = (0..<columns).map { _ in draw.normal().magnitude }
            let feedback = try Self.feedback(&draw, for: type, columns: columns, widest: widest * size)
            Self.compare(type, rows, columns: columns, importance, feedback, seed: draw.seed)
        }
    }

    /// Scales may be beyond half precision: other blocks of such rows must have defined bytes.
    @Test(arguments: types)
    func kernelsAgreeOnOddRows(_ type: ElementType) throws {
        var draw = OddRows(salt: 9850 + Int(type.rawValue))
        for _ in 0..<4 {
            let columns = 3 * type.blockSize
            let rows = draw.rows(7, columns: columns) + (0..<columns).map { _ in draw.normal() * 1e30 }
            let importance = draw.importance(columns)
            let feedback = try Self.feedback(&draw, for: type, columns: columns, widest: columns)
            Self.compare(type, rows, columns: columns, importance, feedback, seed: draw.seed)
        }
    }

    /// Outputs change less than with the usual encoder, and the type's decoder reads what was meant.
    @Test(arguments: types)
    func losesLess(_ type: ElementType) throws {
        var draw = OddRows(salt: 9900)
        let (count, columns) = (48, 512)
        let rows = (0..<count * columns).map { _ in draw.normal() }
        let gram = FitTests.gram(&draw, columns: columns)
        let importance = (0..<columns).map { Float(gram[$0 * columns + $0]) }
        let feedback = Feedback(
            blocks: [
                try Feedback.Block(
                    gram: FitTests.upper(gram, columns: columns), count: columns, first: 0, unit: type.blockSize,
                    run: type.refinedRun)
            ])
        func output(_ bytes: [UInt8]) -> Double {
            FitTests.output(rows, decode(type, bytes, with: .best), gram, columns: columns)
        }
        let usual = Encoder.lanes(.best).encode(type, rows: rows, columns: columns, importance: importance)
        let refined = Self.refined(type, rows, columns: columns, importance, feedback)
        #expect(output(refined) < output(usual) * 0.7)
    }

    @Test func keepsUnitsTogether() throws {
        var draw = OddRows(salt: 9950)
        let feedback = try FitTests.feedback(&draw, columns: 160, widest: 96, unit: 32)
        #expect(feedback.isMade(of: 32, columns: 160))
        #expect(feedback.isMade(of: 1, columns: 160))
        #expect(!feedback.isMade(of: 64, columns: 160))
        #expect(!feedback.isMade(of: 32, columns: 192))
        let free = try FitTests.feedback(&draw, columns: 160, widest: 160)
        #expect(!free.isMade(of: 32, columns: 160))
    }

    @Test func keepsRunsAsTheyAre() throws {
        var draw = OddRows(salt: 9960)
        let feedback = try FitTests.feedback(&draw, columns: 160, widest: 96, unit: 32, run: 4)
        #expect(feedback.isMade(of: 32, runs: 4, columns: 160))
        #expect(feedback.isMade(of: 32, runs: 2, columns: 160))
        #expect(!feedback.isMade(of: 32, runs: 8, columns: 160))
        let free = try FitTests.feedback(&draw, columns: 160, widest: 96, unit: 32)
        #expect(!free.isMade(of: 32, runs: 4, columns: 160))
        // Runs that do not begin where points do, as only a bad peer has them.
        let words = [0, 8, 2, 3, 4, 5, 6, 7, 0, 1] + [UInt32](repeating: 0, count: 8 + 64)
        let shifted = try Feedback(bytes: words.flatMap { [UInt8($0), 0, 0, 0] }, columns: 8)
        #expect(shifted.isMade(of: 8, runs: 2, columns: 8) && !shifted.isMade(of: 8, runs: 4, columns: 8))
    }

    @Test func whatIsUsedMostComesFirst() throws {
        let gram = ([1, 2, 3, 3, 9, 1, 5, 6] as [Double]).enumerated().flatMap { input, square in
            [square] + [Double](repeating: 0, count: 7 - input)
        }
        func order(_ unit: Int, _ run: Int) throws -> [UInt32] {
            try Feedback.Block(gram: gram[...], count: 8, first: 0, unit: unit, run: run).order
        }
        #expect(try order(1, 1) == [4, 7, 6, 2, 3, 1, 0, 5])
        #expect(try order(4, 1) == [4, 7, 6, 5, 2, 3, 1, 0])
        #expect(try order(4, 2) == [6, 7, 4, 5, 2, 3, 0, 1])
        #expect(try order(8, 4) == [4, 5, 6, 7, 0, 1, 2, 3])
    }
}
