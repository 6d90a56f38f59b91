import QuernFormats
import QuernKernels
import Testing

/// Weights rounded by searched scales, with and without what is known of the inputs.
@Suite struct FitTests {
    private static let formats = OddWeightTests.fitted.filter { $0 != .packed(bits: 8, group: 32, isSymmetric: true) }

    /// Rows as models have them, and some that searches stumble over; numbers of the type or none.
    static func rows(_ draw: inout OddRows, _ count: Int, columns: Int) -> [Float] {
        (0..<count).flatMap { _ -> [Float] in
            let kind = draw.integer(below: 8)
            let scale = draw.powerOfTen(-4...2)
            return (0..<columns).map { column -> Float in
                switch kind {
                case 0: 0
                case 1: [0, -0.0, scale, -scale][draw.integer(below: 4)]
                case 2: scale
                case 3: draw.normal().magnitude * scale + scale
                case 4: column % 64 < 32 ? 0 : -draw.normal().magnitude * scale
                default: draw.normal() * scale
                }
            }
        }
    }

    /// H of inputs of which some follow others, and one is never used.
    static func gram(_ draw: inout OddRows, columns: Int) -> [Double] {
        let samples = columns + 8
        let inputs = (0..<samples).map { _ in
            var last: Float = 0
            return (0..<columns).map { column -> Float in
                last = draw.normal() * (column % 7 == 0 ? 4 : 1) + last / 2
                return column == columns / 3 ? 0 : last
            }
        }
        var gram = [Double](repeating: 0, count: columns * columns)
        for row in 0..<columns {
            for column in 0...row {
                let product = inputs.reduce(0) { $0 + Double($1[row]) * Double($1[column]) }
                gram[row * columns + column] = product
                gram[column * columns + row] = product
            }
        }
        return gram
    }

    /// What is on the diagonal of a square and above it, row by row.
    static func upper(_ square: [Double], columns: Int) -> ArraySlice<Double> {
        (0..<columns).flatMap { square[$0 * columns + $0..<($0 + 1) * columns] }[...]
    }

    /// Factors of blocks of at most `widest` columns.
    static func feedback(
        _ draw: inout OddRows, columns: Int, widest: Int, unit: Int = 1, run: Int = 1
    ) throws -> Feedback {
        Feedback(
            blocks: try stride(from: 0, to: columns, by: widest).map { first in
                let count = min(widest, columns - first)
                return try Feedback.Block(
                    gram: upper(gram(&draw, columns: count), columns: count), count: count, first: first, unit: unit,
                    run: run)
            })
    }

    /// tr(ΔW H ΔWᵀ).
    static func output(_ rows: [Float], _ values: [Float], _ gram: [Double], columns: Int) -> Double {
        let differences = zip(rows, values).map { Double($0 - $1) }
        return stride(from: 0, to: rows.count, by: columns).reduce(0) { sum, start in
            let own = differences[start..<start + columns]
            return own.enumerated().reduce(sum) { sum, left in
                let line = gram[left.offset * columns..<(left.offset + 1) * columns]
                return sum + left.element * zip(line, own).reduce(0) { $0 + $1.0 * $1.1 }
            }
        }
    }

    @Test(arguments: formats, WeightFixture.sources)
    func kernelsAgreeWithTheReference(_ format: WeightFormat, source: SafetensorsType) throws {
        var draw = OddRows(salt: 9000 + source.rawValue.count * 100 + (Self.formats.firstIndex(of: format) ?? 0))
        for round in 0..<3 {
            let isWhole = format.group != nil && format != .floatBlocks
            let columns = isWhole ? 128 * (1 + draw.integer(below: 2)) : 2 * (1 + draw.integer(below: 140))
            let count = format == .floatBlocks && round == 0 ? 128 : 1 + draw.integer(below: 70)
            let rows = Self.rows(&draw, count, columns: columns)
            let globalScale = format == .nvfp4 ? draw.powerOfTen(-1...3) : nil
            let importance = round == 1 ? nil : (0..<columns).map { _ in draw.normal().magnitude }
            let feedback =
                round == 2 ? nil : try Self.feedback(&draw, columns: columns, widest: round == 0 ? columns : 100)
            let expected = Encoder.reference.fit(
                format, source: source, rows: rows, columns: columns, globalScale: globalScale, importance: importance,
                feedback: feedback)
            for set in InstructionSet.allCases {
                let components = Encoder.lanes(set).fit(
                    format, source: source, rows: rows, columns: columns, globalScale: globalScale,
                    importance: importance, feedback: feedback)
                let difference = firstDifference(components, expected)
                #expect(
                    difference == nil, "\(set), \(count) × \(columns), round \(round), QUERN_TEST_SEED=\(draw.seed)")
            }
        }
    }

    /// A search loses less than rounding to nearest, weighted as it was asked to; feedback less still where outputs count.
    @Test(arguments: OddWeightTests.fitted)
    func losesLess(_ format: WeightFormat) throws {
        var draw = OddRows(salt: 9500)
        let (count, columns) = (64, 256)
        let rows = (0..<count * columns).map { _ in draw.normal() }
        let importance = (0..<columns).map { _ in draw.normal() * draw.normal() + 0.01 }.map(\.magnitude)
        let gram = Self.gram(&draw, columns: columns)
        let feedback = Feedback(
            blocks: [try Feedback.Block(gram: Self.upper(gram, columns: columns), count: columns, first: 0)])
        let scale: Float? = format == .nvfp4 ? 100 : nil
        let encoder = Encoder.lanes(.best)
        func values(_ components: [WeightComponent: [UInt8]]) -> [Float] {
            encoder.dequantize(
                format, source: .bf16, components: components, rows: count, columns: columns, globalScale: scale)
        }
        func fitted(_ importance: [Float]?, _ feedback: Feedback?) -> [Float] {
            values(
                encoder.fit(
                    format, source: .bf16, rows: rows, columns: columns, globalScale: scale, importance: importance,
                    feedback: feedback))
        }
        func weighted(_ values: [Float]) -> Float {
            zip(rows, values).enumerated().reduce(0) { sum, entry in
                let difference = entry.element.0 - entry.element.1
                return sum + difference * difference * importance[entry.offset % columns]
            }
        }
        func output(_ values: [Float]) -> Double { Self.output(rows, values, gram, columns: columns) }
        let nearest = values(
            encoder.quantize(format, source: .bf16, rows: rows, columns: columns, globalScale: scale))
        #expect(weighted(fitted(importance, nil)) <= weighted(nearest) * 1.001)
        #expect(output(fitted(nil, feedback)) < output(fitted(nil, nil)) * 0.8)
    }

    @Test(arguments: InstructionSet.allCases, [1, 2, 31, 95, 96, 97, 300])
    func factorsGramMatrices(with set: InstructionSet, columns: Int) throws {
        var draw = OddRows(salt: 9600 + columns)
        let gram = Self.gram(&draw, columns: columns)
        let upper = Self.upper(gram, columns: columns)
        let block = try Feedback.Block(
            gram: upper, count: columns, first: 0, factoring: { Kernels.factor($0, count: $1, with: set) })
        let plain = try Feedback.Block(
            gram: upper, count: columns, first: 0, factoring: { Kernels.factor($0, count: $1, with: .plain) })
        #expect(block == plain)
        #expect(block.order.sorted() == (0..<UInt32(columns)).map { $0 })
        let place = { (index: Int) in Int(block.order[index]) * columns + Int(block.order[index]) }
        #expect((1..<max(columns, 2)).allSatisfy { $0 >= columns || gram[place($0 - 1)] >= gram[place($0)] })
        // V D Vᵀ: D follows from the diagonal, from the last place to the first.
        let mean = (0..<columns).reduce(0) { $0 + gram[$1 * columns + $1] } / Double(columns)
        let damping = mean > 0 ? mean * Feedback.Block.usualDamping : 1
        var pivots = [Double](repeating: 0, count: columns)
        for i in (0..<columns).reversed() {
            let later = (i + 1..<max(columns, i + 1)).reduce(0.0) { sum, k in
                let factor = Double(block.factor(i, k))
                return sum + factor * factor * pivots[k]
            }
            pivots[i] = gram[place(i)] + damping - later
            #expect(pivots[i] > 0)
        }
        for (i, j) in [(0, columns - 1), (columns / 2, columns - 1), (0, columns / 2)] where i < j {
            let product = (j..<columns).reduce(0.0) { sum, k in
                sum + Double(block.factor(i, k)) * pivots[k] * Double(block.factor(j, k))
            }
            let expected = gram[Int(block.order[i]) * columns + Int(block.order[j])]
            #expect(abs(product - expected) < 1e-4 * (mean + damping), "\(i), \(j), QUERN_TEST_SEED=\(draw.seed)")
        }
    }

    /// The same as factoring what the Gram matrix of the divided inputs is.
    @Test func dividesInputs() throws {
        var draw = OddRows(salt: 9650)
        let columns = 100
        let gram = Self.gram(&draw, columns: columns)
        let divisors = (0..<columns).map { _ in Float([0.25, 0.5, 1, 2, 8][draw.integer(below: 5)]) }
        let divided = gram.indices.map {
            gram[$0] / Double(divisors[$0 / columns]) / Double(divisors[$0 % columns])
        }
        #expect(
            try Feedback.Block(
                gram: Self.upper(gram, columns: columns), count: columns, dividedBy: divisors, first: 0)
                == Feedback.Block(gram: Self.upper(divided, columns: columns), count: columns, first: 0))
    }

    @Test func refusesWhatIsNoGramMatrix() {
        for gram in [[1, 5, 1], [1, .nan, 1], [-3, 0, -3]] as [[Double]] {
            #expect(throws: QuernError.self) { try Feedback.Block(gram: gram[...], count: 2, first: 0) }
        }
    }

    @Test func readsItsBytes() throws {
        var draw = OddRows(salt: 9700)
        let feedback = try Self.feedback(&draw, columns: 300, widest: 140)
        let bytes = feedback.bytes
        #expect(try Feedback(bytes: bytes, columns: 300) == feedback)
        for (bytes, columns) in [(bytes, 299), (bytes, 301), (bytes.dropLast(), 300), (bytes + [0], 300), ([], 300)] {
            #expect(throws: QuernError.self) { try Feedback(bytes: Array(bytes), columns: columns) }
        }
        var twice = bytes
        twice.replaceSubrange(8..<12, with: bytes[12..<16])
        #expect(throws: QuernError.self) { try Feedback(bytes: twice, columns: 300) }
    }
}
