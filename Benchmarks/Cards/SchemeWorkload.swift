import Foundation
import QuernFormats
import QuernKernels
import QuernWorker

/// Millions of weights per second of one scheme, or of the refined encoder of a type.
struct SchemeFigures: Encodable {
    let name: String
    /// What the bus lets through: BF16 values one way, numbers and scales the other; nil where that is no measure.
    let floor: Double?
    let card: Double
    /// Of one core.
    let core: Double
    /// Whether card and processor write the same.
    let isEqual: Bool
}

/// Rounds the rows of a `TypeWorkload` to the numbers of schemes: to the nearest, under searched scales, by GPTQ.
struct SchemeWorkload {
    let setup: Setup
    let rows: TypeWorkload
    let columns: Int
    let threads: Int

    private struct Rounded: Equatable {
        let components: [[UInt8]]
        let error: EncodingError
    }

    /// What is measured of schemes.
    func measure(_ limits: Limits, show: (SchemeFigures) -> Void) throws -> [SchemeFigures] {
        let w4a16 = WeightFormat.packed(bits: 4, group: 128, isSymmetric: true)
        let factor = try self.factor()
        let searched = WeightRounding.Search(importance: rows.importance)
        let cases: [(String, WeightFormat, WeightRounding.Search?)] = [
            ("W4A16", w4a16, nil), ("W4A16_ASYM", .packed(bits: 4, group: 128, isSymmetric: false), nil),
            ("W8A8", .integer, nil), ("FP8", .float, nil), ("FP8_BLOCK", .floatBlocks, nil), ("NVFP4", .nvfp4, nil),
            ("MXFP4", .mxfp4, nil), ("BNB_NF4", .nf4, nil), ("W4A16 searched", w4a16, searched),
            ("W8A8 searched", .integer, searched),
            ("W4A16 GPTQ", w4a16, WeightRounding.Search(feedback: factor.feedback)),
        ]
        var figures = try cases.map { name, format, search in
            let rounding = WeightRounding(
                format, source: .bf16, columns: columns, globalScale: format == .nvfp4 ? 2000 : nil, search: search)
            let made = try measure(name, rounding, limits)
            show(made)
            return made
        }
        show(factor.figures)
        figures.append(factor.figures)
        return figures
    }

    private func measure(_ name: String, _ rounding: WeightRounding, _ limits: Limits) throws -> SchemeFigures {
        let count = rows.values.count / columns, few = min(count, Kernels.fittedRows)
        let bytes = rounding.format.rowComponents.reduce(0) { $0 + rounding.bytes(of: $1, rows: count) }
        return SchemeFigures(
            name: name, floor: limits.floor(bytesBack: Double(bytes) / Double(count * columns)),
            card: try rate(weights: count * columns, threads: threads, seconds: setup.seconds) {
                _ = try round(count, rounding, on: setup.engine)
            },
            core: try rate(weights: few * columns, threads: 1, seconds: setup.seconds) {
                _ = try round(few, rounding, on: ProcessorEngine())
            },
            isEqual: try round(few, rounding, on: setup.engine) == round(few, rounding, on: ProcessorEngine()))
    }

    private func round(_ count: Int, _ rounding: WeightRounding, on engine: any WeightEngine) throws -> Rounded {
        let rounded = RoundedWeights(rounding, rows: count)
        var error = EncodingError()
        try rows.values.withUnsafeBufferPointer { values in
            let some = UnsafeBufferPointer(rebasing: values[..<(count * columns)])
            try engine.round(some, by: rounding, original: some, into: rounded.memory, error: &error, Scratch())
        }
        return Rounded(components: rounded.bytes, error: error)
    }

    /// Factors a Gram matrix of ones, with 2 to 8 on its diagonal. Its figures are in
    /// millions of elements of the triangle; the bus is no limit then.
    private func factor() throws -> (feedback: Feedback, figures: SchemeFigures) {
        let count = columns
        var gram = [Double](repeating: 1, count: count * (count + 1) / 2)
        var place = 0
        for row in 0..<count {
            gram[place] = 2 + Double(row % 7)
            place += count - row
        }
        let triangle = gram
        func seconds(_ factoring: Feedback.Factoring) throws -> (Feedback.Block, Double) {
            let begun = ContinuousClock.now
            let block = try Feedback.Block(gram: triangle[...], count: count, first: 0, factoring: factoring)
            return (block, (ContinuousClock.now - begun) / .seconds(1))
        }
        _ = try seconds(setup.engine.factor)
        let card = try seconds(setup.engine.factor), core = try seconds(ProcessorEngine().factor)
        let elements = Double(triangle.count) * 1e-6
        return (
            Feedback(blocks: [core.0]),
            SchemeFigures(
                name: "factor of GPTQ", floor: nil, card: elements / card.1, core: elements / core.1,
                isEqual: card.0 == core.0)
        )
    }
}
