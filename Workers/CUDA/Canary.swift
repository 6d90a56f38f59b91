import QuernFormats
import QuernKernels
import QuernModel

/// What a card has to get right before it is given work.
enum Canary {
    /// Encodes some rows on the card and on the processor, with importance and without.
    /// - Parameter label: of the card, for the message.
    /// - Throws: `.corrupted` where bytes or sums differ.
    static func check(_ type: ElementType, label: String, on lane: CardLane) throws {
        let columns = 1024
        for weights in [nil, importance(columns: columns)] {
            try (weights ?? []).withUnsafeBufferPointer { buffer in
                let importance = weights == nil ? nil : buffer
                try compare(type, columns: columns, label: label) {
                    try ProcessorEngine().encode(
                        type, rows: $0, columns: columns, importance: importance, into: $1, error: &$2, Scratch())
                } found: {
                    try lane.encode(type, rows: $0, columns: columns, importance: importance, into: $1, error: &$2)
                }
            }
        }
    }

    /// Refines blocks of some rows on the card and on the processor.
    /// - Throws: `.corrupted` where bytes or sums differ.
    static func checkRefined(_ type: ElementType, label: String, on lane: CardLane) throws {
        let columns = 512
        let refining = Refining(
            importance: importance(columns: columns),
            feedback: SharedFeedback(
                Feedback(blocks: [
                    try Feedback.Block(
                        gram: gram(columns)[...], count: columns, first: 0, unit: type.blockSize, run: type.refinedRun)
                ])))
        try compare(type, columns: columns, label: label) {
            try ProcessorEngine().refine(
                type, rows: $0, columns: columns, by: refining, into: $1, error: &$2, Scratch())
        } found: {
            try lane.refine(type, rows: $0, columns: columns, by: refining, into: $1, error: &$2)
        }
    }

    private typealias Encoding = (
        _ rows: UnsafeBufferPointer<Float>, _ encoded: UnsafeMutableRawBufferPointer, _ error: inout EncodingError?
    ) throws -> Void

    private static func compare(
        _ type: ElementType, columns: Int, label: String, wanted: Encoding, found: Encoding
    ) throws {
        let rows = Self.rows(columns: columns)
        func blocks(_ encode: Encoding) throws -> ([UInt8], EncodingError?) {
            var bytes = [UInt8](repeating: 0, count: type.bytes(elements: rows.count) ?? 0)
            var error = Optional(EncodingError())
            try rows.withUnsafeBufferPointer { rows in
                try bytes.withUnsafeMutableBytes { try encode(rows, $0, &error) }
            }
            return (bytes, error)
        }
        guard try blocks(found) == blocks(wanted) else {
            throw QuernError(
                .corrupted, "it encodes \(type) to other bytes than the processor does", at: label,
                remedy: "The card, its memory or its driver is faulty. Use --device cpu, and have the card checked")
        }
    }

    /// Rounds some rows to the numbers of a format on the card and on the processor, to the nearest and with scales that
    /// are searched.
    /// - Throws: `.corrupted` where bytes or sums differ.
    static func check(_ rounding: WeightRounding, label: String, on lane: CardLane) throws {
        let group = rounding.format.group ?? 1
        let columns = (1024 + group - 1) / group * group
        let rows = Self.rows(columns: columns)
        let isSearched = rounding.format != .nf4 && rounding.format != .absmax8
        let searches = isSearched ? [nil, WeightRounding.Search(importance: importance(columns: columns))] : [nil]
        for search in searches {
            let rounding = WeightRounding(
                rounding.format, source: rounding.source, columns: columns, globalScale: rounding.globalScale,
                search: search)
            func numbers(
                _ round: (
                    UnsafeBufferPointer<Float>, [WeightComponent: UnsafeMutableRawBufferPointer], inout EncodingError
                ) throws -> Void
            ) throws -> ([[UInt8]], EncodingError) {
                let rounded = RoundedWeights(rounding, rows: rows.count / columns)
                var error = EncodingError()
                try rows.withUnsafeBufferPointer { try round($0, rounded.memory, &error) }
                return (rounded.bytes, error)
            }
            let wanted = try numbers {
                try ProcessorEngine().round($0, by: rounding, original: $0, into: $1, error: &$2, Scratch())
            }
            let found = try numbers { try lane.round($0, by: rounding, original: $0, into: $1, error: &$2) }
            guard found == wanted else {
                throw QuernError(
                    .corrupted, "it rounds weights to other numbers than the processor does", at: label,
                    remedy: "The card, its memory or its driver is faulty. Use --device cpu, and have the card checked")
            }
        }
    }

    /// Factors a matrix of two strips on the card and on the processor.
    /// - Throws: `.corrupted` where they are not the same.
    static func checkFactor(label: String, _ factor: (UnsafeMutableBufferPointer<Float>, Int) throws -> Bool) throws {
        let width = WeightKernel.strip, count = width + 30
        var random = SplitMix(state: 4)
        var strips = [Float](repeating: 0, count: 3 * width * width)
        for column in 0..<count {
            let start = column / width * width * width + column % width
            for row in 0...column {
                strips[start + row * width] = row == column ? Float(count) : random.unit() * 2 - 1
            }
        }
        var wanted = strips
        let isFactored = wanted.withUnsafeMutableBufferPointer { Kernels.factor($0, count: count) }
        let isFound = try strips.withUnsafeMutableBufferPointer { try factor($0, count) }
        let isEqual = (0..<count).allSatisfy { column in
            let start = column / width * width * width + column % width
            return (0...column).allSatisfy { strips[start + $0 * width] == wanted[start + $0 * width] }
        }
        guard isFactored == isFound, isEqual else {
            throw QuernError(
                .corrupted, "it factors matrices otherwise than the processor does", at: label,
                remedy: "The card, its memory or its driver is faulty. Use --device cpu, and have the card checked")
        }
    }

    /// Multiplies small integers, whose products and sums are exact however they are added: as BF16 numbers, which they
    /// are, and as values that may be none.
    /// - Throws: `.corrupted` where anything is wrong.
    static func checkProducts(of engine: any ForwardEngine, label: String) throws {
        let (rows, outputs, inputs) = (40, 64, 96)
        var random = SplitMix(state: 3)
        func integers(_ count: Int) -> [Float] { (0..<count).map { _ in (random.unit() * 17).rounded(.down) - 8 } }
        let (input, weights) = (integers(rows * inputs), integers(outputs * inputs))
        let lane = try engine.makeLane()
        for areBF16 in [true, false] {
            let matrix = try engine.matrix(outputs: outputs, inputs: inputs, areBF16: areBF16)
            for piece in matrix.pieces {
                let values = try lane.staging(piece.count * inputs)
                values.update(
                    from: Array(weights[piece.lowerBound * inputs..<piece.upperBound * inputs]),
                    count: piece.count * inputs)
                try lane.pack(matrix, piece, values)
            }
            let (values, result) = (try engine.vector(input), try engine.allocate(rows * outputs))
            try lane.multiply(values.base, by: matrix, rows: rows, into: result.base)
            let isRight = try lane.read(result.base, count: rows * outputs) { found in
                (0..<rows * outputs).allSatisfy { place in
                    let (row, output) = (place / outputs * inputs, place % outputs * inputs)
                    return found[place] == (0..<inputs).reduce(0) { $0 + input[row + $1] * weights[output + $1] }
                }
            }
            withExtendedLifetime((values, result)) {}
            guard isRight else {
                throw QuernError(
                    .corrupted, "it multiplies matrices wrongly", at: label,
                    remedy:
                        "The card, its memory, its driver or cuBLASLt is faulty. Use --device cpu, and have it checked")
            }
        }
    }

    /// Exponents of two of the sizes of rows: subnormal numbers among them, which a card may not flush to zero.
    private static let sizes = [-138, -24, -7, 0, 12]

    /// The same on every machine.
    private static func rows(columns: Int) -> [Float] {
        var random = SplitMix(state: 1)
        return sizes.flatMap { size in
            (0..<columns).map { column in
                let sum = (0..<4).reduce(0) { sum, _ in sum + random.unit() } - 2
                return column % 97 == 0 ? 0 : sum * Float(sign: .plus, exponent: size, significand: 1)
            }
        }
    }

    /// The upper triangle of a Gram matrix of inputs that follow each other closely, row by row.
    private static func gram(_ count: Int) -> [Double] {
        func size(_ input: Int) -> Double { 1 + Double(input * 7 % 11) / 8 }
        return (0..<count).flatMap { row in
            (row..<count).map { size(row) * size($0) * Double(sign: .plus, exponent: row - $0, significand: 1) }
        }
    }

    private static func importance(columns: Int) -> [Float] {
        var random = SplitMix(state: 2)
        return (0..<columns).map { _ in random.unit() * random.unit() * 4 }
    }

    /// Steele, Lea and Flood: Fast Splittable Pseudorandom Number Generators, 2014.
    private struct SplitMix {
        var state: UInt64

        /// In 0 ..< 1.
        mutating func unit() -> Float {
            state &+= 0x9e37_79b9_7f4a_7c15
            var bits = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
            bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
            return Float((bits ^ bits >> 31) >> 40) * 0x1p-24
        }
    }
}
