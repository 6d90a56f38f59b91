import QuernFormats
import QuernKernels
import QuernWorker
import TestSupport
import Testing

/// Weights rounded on cards: the processor's bytes.
@Suite struct CardWeightTests {
    private static let integers: [WeightFormat] = [
        .packed(bits: 4, group: 32, isSymmetric: true), .packed(bits: 4, group: 32, isSymmetric: false),
        .packed(bits: 4, group: nil, isSymmetric: false), .packed(bits: 8, group: 32, isSymmetric: true),
        .packed(bits: 8, group: 32, isSymmetric: false), .integer,
    ]
    private static let searched = integers + [.float, .floatBlocks, .nvfp4, .mxfp4]
    private static let formats = searched + [.nf4, .absmax8]
    private static let sources: [SafetensorsType] = [.f16, .bf16, .f32]

    /// Rows as models have them, of zeros, of one value, of one sign, and far apart in size; numbers of the type.
    private static func rows(_ count: Int, columns: Int, source: SafetensorsType, seed: UInt64) -> [Float] {
        var random = SeededGenerator(seed: seed)
        func normal() -> Float { (0..<4).reduce(0) { sum, _ in sum + Float.random(in: -1...1, using: &random) } }
        return (0..<count).flatMap { row -> [Float] in
            let scale = Float.random(in: 0.5...2, using: &random) * [1, 1e-3, 40][row % 3]
            return (0..<columns).map { column -> Float in
                let value: Float =
                    switch row % 7 {
                    case 0: column % 64 < 32 ? 0 : -normal().magnitude
                    case 1: row % 2 == 0 ? 0 : -0.0
                    case 2: normal().magnitude + 1
                    case 3: 1
                    default: normal()
                    }
                return nearest(value * scale, source)
            }
        }
    }

    private static func nearest(_ value: Float, _ source: SafetensorsType) -> Float {
        switch source {
        case .f16: Float(Float16(value))
        case .bf16: Float(bitPattern: value.bitPattern & 0xffff_0000)
        default: value
        }
    }

    private struct Rounded: Equatable {
        var components: [[UInt8]]
        var error: EncodingError
    }

    private static func round(
        _ rows: [Float], _ rounding: WeightRounding, original: [Float]? = nil, on engine: any WeightEngine
    ) throws -> Rounded {
        let rounded = RoundedWeights(rounding, rows: rows.count / rounding.columns)
        // What was there before shall not show.
        for memory in rounded.memory.values { memory.initializeMemory(as: UInt8.self, repeating: 0xa5) }
        var error = EncodingError(squaredError: 1e-3, squaredNorm: 1e3)
        try rows.withUnsafeBufferPointer { rows in
            try (original ?? []).withUnsafeBufferPointer {
                try engine.round(
                    rows, by: rounding, original: original == nil ? rows : $0, into: rounded.memory, error: &error,
                    Scratch())
            }
        }
        return Rounded(components: rounded.bytes, error: error)
    }

    private func compare(
        _ rig: CardRig, _ rows: [Float], _ rounding: WeightRounding, original: [Float]? = nil,
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        let found = try Self.round(rows, rounding, original: original, on: rig.engine)
        let wanted = try Self.round(rows, rounding, original: original, on: ProcessorEngine())
        // Nobody reads all the bytes.
        let isEqual = found == wanted
        #expect(isEqual, "\(rounding.format) \(rounding.source)", sourceLocation: location)
    }

    private static func columns(of format: WeightFormat) -> [Int] {
        switch format {
        case .integer, .float, .absmax8, .floatBlocks: [37, 160]
        case .packed(_, nil, _): [34, 160]
        default: [format.group ?? 64, 5 * (format.group ?? 64)]
        }
    }

    /// Rows that are not a multiple of anything, and enough for several blocks.
    @Test(arguments: formats, sources)
    func roundsToNearest(_ format: WeightFormat, _ source: SafetensorsType) throws {
        let rig = try CardRig()
        for (seed, columns) in Self.columns(of: format).enumerated() {
            for count in [1, 9, 131] {
                let rows = Self.rows(count, columns: columns, source: source, seed: UInt64(seed))
                try compare(
                    rig, rows,
                    WeightRounding(
                        format, source: source, columns: columns, globalScale: format == .nvfp4 ? 3.25 : nil))
            }
        }
        try rig.expectTheyDidIt {
            let rounding = WeightRounding(
                format, source: source, columns: Self.columns(of: format)[0], globalScale: format == .nvfp4 ? 3.25 : nil
            )
            let rows = Self.rows(9, columns: rounding.columns, source: source, seed: 5)
            return try Self.round(rows, rounding, on: rig.engine) == Self.round(rows, rounding, on: ProcessorEngine())
        }
    }

    /// What is lost is counted from the values before they got the type that they are rounded from.
    @Test func countsFromTheOriginal() throws {
        let rows = Self.rows(9, columns: 64, source: .f32, seed: 1)
        try compare(
            CardRig(), rows.map { Self.nearest($0, .f16) }, WeightRounding(.absmax8, source: .f16, columns: 64),
            original: rows)
    }

    @Test(arguments: searched, [SafetensorsType.f16, .bf16, .f32])
    func searchesScales(_ format: WeightFormat, _ source: SafetensorsType) throws {
        let rig = try CardRig()
        for (seed, columns) in Self.columns(of: format).enumerated() {
            let rows = Self.rows(133, columns: columns, source: source, seed: UInt64(seed))
            let importance = (0..<columns).map { Float($0 % 5) * 0.5 }
            for search in [WeightRounding.Search(), WeightRounding.Search(importance: importance)] {
                try compare(
                    rig, rows,
                    WeightRounding(
                        format, source: source, columns: columns, globalScale: format == .nvfp4 ? 3.25 : nil,
                        search: search))
            }
        }
    }

    /// Blocks of one column, of a panel and of more, one after the other; one factor after the other.
    @Test(arguments: searched)
    func feedsErrorsBack(_ format: WeightFormat) throws {
        let rig = try CardRig()
        for (seed, widths) in [[160], [320], [7 * 32, 3 * 32]].enumerated() {
            let columns = widths.reduce(0, +)
            var blocks: [Feedback.Block] = []
            for width in widths {
                blocks.append(
                    try Feedback.Block(
                        gram: Self.gram(width, seed: UInt64(seed)), count: width,
                        first: blocks.reduce(0) { $0 + $1.order.count }))
            }
            let rows = Self.rows(133, columns: columns, source: .bf16, seed: UInt64(seed))
            let importance = (0..<columns).map { Float($0 % 5) * 0.5 }
            for importance in [nil, importance] {
                let search = WeightRounding.Search(importance: importance, feedback: Feedback(blocks: blocks))
                try compare(
                    rig, rows,
                    WeightRounding(
                        format, source: .bf16, columns: columns, globalScale: format == .nvfp4 ? 3.25 : nil,
                        search: search))
            }
        }
    }

    /// The upper triangle of XᵀX, of inputs of which some follow others.
    private static func gram(_ count: Int, seed: UInt64) -> ArraySlice<Double> {
        var random = SeededGenerator(seed: seed)
        let samples = (0..<count + 8).map { _ in
            var last = 0.0
            return (0..<count).map { _ -> Double in
                last = Double.random(in: -1...1, using: &random) + last / 2
                return last
            }
        }
        return (0..<count).flatMap { row in
            (row..<count).map { column in samples.reduce(0) { $0 + $1[row] * $1[column] } }
        }[...]
    }

    @Test(arguments: [1, 31, 95, 96, 97, 192, 300])
    func factorsGramMatrices(_ count: Int) throws {
        let rig = try CardRig()
        let gram = Self.gram(count, seed: UInt64(count))
        let found = try Feedback.Block(gram: gram, count: count, first: 0, factoring: rig.engine.factor)
        let wanted = try Feedback.Block(gram: gram, count: count, first: 0)
        #expect(found == wanted)
        try rig.expectTheyDidIt {
            (try? Feedback.Block(gram: gram, count: count, first: 0, factoring: rig.engine.factor)) == wanted
        }
    }

    /// At the first row, within a strip, at its end, and in the next one.
    @Test(arguments: [0, 40, 95, 96, 120])
    func refusesWhatHasNoFactor(_ row: Int) throws {
        let rig = try CardRig()
        let width = WeightKernel.strip
        var strips = [Float](repeating: 0, count: 3 * width * width)
        for place in 0..<130 { strips[place / width * width * width + place * width + place % width] = 2 }
        func factor(_ factor: (UnsafeMutableBufferPointer<Float>, Int) -> Bool) -> (Bool, [Float]) {
            var copy = strips
            return (copy.withUnsafeMutableBufferPointer { factor($0, 130) }, copy)
        }
        #expect(factor(rig.engine.factor) == factor { Kernels.factor($0, count: $1) })
        #expect(factor(rig.engine.factor).0)
        strips[row / width * width * width + row * width + row % width] = -1
        #expect(!factor(rig.engine.factor).0)
        strips[row / width * width * width + row * width + row % width] = .nan
        #expect(!factor(rig.engine.factor).0)
    }

    /// What fails on a card is done by the processor, and nothing of what the card had begun is left over.
    @Test(arguments: [
        "cuMemAlloc_v2:1+:2", "cuMemAlloc_v2:5:2", "cuMemHostAlloc:2:2", "cuLaunchKernel:1:719", "cuLaunchKernel:4:1",
        "cuMemcpyHtoDAsync_v2:2:700", "cuMemcpyDtoHAsync_v2:2:214", "cuEventSynchronize:1:999",
    ])
    func fallsBack(_ failure: String) throws {
        let rig = try CardRig([:])
        let gram = Self.gram(64, seed: 1)
        let wanted = try Feedback.Block(gram: gram, count: 64, first: 0)
        try rig.set("FAILURES", failure)
        let rows = Self.rows(133, columns: 64, source: .bf16, seed: 1)
        for _ in 0..<2 {
            try compare(
                rig, rows,
                WeightRounding(
                    .packed(bits: 4, group: 32, isSymmetric: false), source: .bf16, columns: 64,
                    search: WeightRounding.Search(feedback: Feedback(blocks: [wanted]))))
            #expect(try Feedback.Block(gram: gram, count: 64, first: 0, factoring: rig.engine.factor) == wanted)
        }
    }

    /// A card that miscalculates weights is found when it is first to round some.
    @Test func refusesWrongCards() throws {
        let rig = try CardRig([:])
        try rig.set("FLIPS", "1")
        try compare(
            rig, Self.rows(9, columns: 64, source: .bf16, seed: 1),
            WeightRounding(.mxfp4, source: .bf16, columns: 64))
        let other = try CardRig([:])
        try other.set("FLIPS", "1")
        let gram = Self.gram(64, seed: 1)
        #expect(
            try Feedback.Block(gram: gram, count: 64, first: 0, factoring: other.engine.factor)
                == Feedback.Block(gram: gram, count: 64, first: 0))
    }
}
