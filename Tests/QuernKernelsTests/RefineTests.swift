import QuernFormats
import QuernKernels
import Testing

/// Blocks whose columns make good the errors of those before them.
@Suite struct RefineTests {
    static let types = EncodableTypes.all.filter(\.isRefined)

    private static func feedback(
        _ draw: inout OddRows, columns: Int, widest: Int, unit: Int
    ) throws -> Feedback {
        Feedback(
            blocks: try stride(from: 0, to: columns, by: widest).map { first in
                let count = min(widest, columns - first)
                return try Feedback.Block(
                    gram: FitTests.gram(&draw, columns: count), count: count, first: first, unit: unit)
            })
    }

    private static func refined(
        _ type: ElementType, _ rows: [Float], columns: Int, _ importance: [Float], _ feedback: Feedback,
        with set: InstructionSet = .best
    ) -> [UInt8] {
        // What was there before shall not show.
        var bytes = [UInt8](repeating: 0xa5, count: type.bytes(elements: rows.count) ?? 0)
        rows.withUnsafeBufferPointer { rows in
            bytes.withUnsafeMutableBytes {
                Kernels.refine(
                    type, rows: rows, columns: columns, importance: importance, feedback: feedback, into: $0,
                    with: set)
            }
        }
        return bytes
    }

    @Test(arguments: types)
    func kernelsAgreeWithTheReference(_ type: ElementType) throws {
        var draw = OddRows(salt: 9800 + Int(type.rawValue))
        let size = type.blockSize
        for (count, blocks, widest) in [(3, 3, 3), (37, 1, 1), (65, 3, 2)] {
            let columns = blocks * size
            let rows = FitTests.rows(&draw, count, columns: columns)
            let importance = (0..<columns).map { _ in draw.normal().magnitude }
            let feedback = try Self.feedback(&draw, columns: columns, widest: widest * size, unit: size)
            let expected = ReferenceRefined.encode(
                type, rows: rows, columns: columns, importance: importance, feedback: feedback)
            for set in InstructionSet.allCases {
                let bytes = Self.refined(type, rows, columns: columns, importance, feedback, with: set)
                let difference = bytes.indices.first { bytes[$0] != expected[$0] }
                #expect(difference == nil, "\(set), \(count) × \(columns), QUERN_TEST_SEED=\(draw.seed)")
            }
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
            blocks: [try Feedback.Block(gram: gram, count: columns, first: 0, unit: type.blockSize)])
        /// tr(ΔW H ΔWᵀ).
        func output(_ bytes: [UInt8]) -> Double {
            let values = decode(type, bytes, with: .best)
            let differences = zip(rows, values).map { Double($0 - $1) }
            return (0..<count).reduce(0) { sum, row in
                let own = differences[row * columns..<(row + 1) * columns]
                return own.enumerated().reduce(sum) { sum, left in
                    let line = gram[left.offset * columns..<(left.offset + 1) * columns]
                    return sum + left.element * zip(line, own).reduce(0) { $0 + $1.0 * $1.1 }
                }
            }
        }
        let usual = Encoder.lanes(.best).encode(type, rows: rows, columns: columns, importance: importance)
        let refined = Self.refined(type, rows, columns: columns, importance, feedback)
        #expect(output(refined) < output(usual) * 0.7)
    }

    @Test func keepsUnitsTogether() throws {
        var draw = OddRows(salt: 9950)
        let feedback = try Self.feedback(&draw, columns: 160, widest: 96, unit: 32)
        #expect(feedback.isMade(of: 32, columns: 160))
        #expect(feedback.isMade(of: 1, columns: 160))
        #expect(!feedback.isMade(of: 64, columns: 160))
        #expect(!feedback.isMade(of: 32, columns: 192))
        let free = try Self.feedback(&draw, columns: 160, widest: 160, unit: 1)
        #expect(!free.isMade(of: 32, columns: 160))
    }
}
