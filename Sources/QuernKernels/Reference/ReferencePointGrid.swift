import QuernFormats

/// What the blocks of types with code books hold, and where: a scale is unit · (2 · quant + 1) · factor.
struct ReferencePointGrid {
    enum Signs {
        /// The numbers have them.
        case inNumbers
        /// One for each value.
        case free
        /// One for seven of eight values, of which an even number is negative.
        case even
    }

    let book: ReferenceCodebook
    /// The points in order of their first coordinates.
    let points: [[Int]]
    let signs: Signs
    /// Columns that share a scale.
    let sharing: Int
    let factor: Float
    /// What levels stand for in units of the scale, shifts apart.
    private let levels: [Float]
    private let type: ElementType

    /// - Returns: nil for types without a code book.
    init?(_ type: ElementType) {
        self.type = type
        let twos: [Float] = [8, 25, 43]
        switch type {
        case .iq2_xxs: (book, signs, levels, sharing, factor) = (.iq2_xxs, .even, twos, 32, 0.125)
        case .iq2_xs: (book, signs, levels, sharing, factor) = (.iq2_xs, .even, twos, 16, 0.125)
        case .iq2_s: (book, signs, levels, sharing, factor) = (.iq2_s, .free, twos, 16, 0.125)
        case .iq3_xxs:
            (book, signs, levels, sharing, factor) = (.iq3_xxs, .even, [4, 12, 20, 28, 36, 44, 52, 62], 32, 0.25)
        case .iq3_s: (book, signs, levels, sharing, factor) = (.iq3_s, .free, [1, 3, 5, 7, 9, 11, 13, 15], 32, 1)
        case .iq1_s: (book, signs, levels, sharing, factor) = (.iq1, .inNumbers, [0, 1, 2], 32, 1)
        case .iq1_m: (book, signs, levels, sharing, factor) = (.iq1, .inNumbers, [0, 1, 2], 16, 1)
        default: return nil
        }
        points = book.points.sorted { $0.lexicographicallyPrecedes($1) }
    }

    // Bits are counted from the lowest of the first byte.

    private var unitBits: [Range<Int>] {
        type == .iq1_m ? (0..<4).map { 396 + 16 * $0..<400 + 16 * $0 } : [0..<16]
    }

    private func quantBits(_ index: Int) -> Range<Int> {
        switch type {
        case .iq2_xxs: 76 + 64 * index..<80 + 64 * index
        case .iq2_xs: 528 + 4 * index..<532 + 4 * index
        case .iq2_s: 592 + 4 * index..<596 + 4 * index
        case .iq3_xxs: 556 + 32 * index..<560 + 32 * index
        case .iq3_s: 848 + 4 * index..<852 + 4 * index
        case .iq1_s: 284 + 16 * index..<287 + 16 * index
        default: 384 + 16 * (index / 4) + 3 * (index % 4)..<387 + 16 * (index / 4) + 3 * (index % 4)
        }
    }

    private func indexBits(_ point: Int) -> [Range<Int>] {
        let usual = 16 + 8 * point..<24 + 8 * point
        switch type {
        case .iq2_xxs:
            let first = 16 + 64 * (point / 4) + 8 * (point % 4)
            return [first..<first + 8]
        case .iq2_xs: return [16 + 16 * point..<25 + 16 * point]
        case .iq2_s: return [usual, 528 + 2 * point..<530 + 2 * point]
        case .iq3_xxs: return [usual]
        case .iq3_s: return [usual, 528 + point..<529 + point]
        case .iq1_s:
            let first = 272 + 16 * (point / 4) + 3 * (point % 4)
            return [usual, first..<first + 3]
        default: return [8 * point..<8 * point + 8, 256 + 4 * point..<259 + 4 * point]
        }
    }

    private func signBits(_ eight: Int) -> Range<Int> {
        switch type {
        case .iq2_xxs: 48 + 64 * (eight / 4) + 7 * (eight % 4)..<55 + 64 * (eight / 4) + 7 * (eight % 4)
        case .iq2_xs: 25 + 16 * eight..<32 + 16 * eight
        case .iq2_s: 272 + 8 * eight..<280 + 8 * eight
        case .iq3_xxs: 528 + 32 * (eight / 4) + 7 * (eight % 4)..<535 + 32 * (eight / 4) + 7 * (eight % 4)
        case .iq3_s: 592 + 8 * eight..<600 + 8 * eight
        default: 0..<0
        }
    }

    private func shiftBit(_ column: Int) -> Range<Int> {
        let first = type == .iq1_s ? 287 + 16 * (column / 32) : 259 + 4 * (column / 8)
        return first..<first + 1
    }

    /// The number of which all scales are multiples.
    func unit(of block: [UInt8]) -> Float { Float(Float16(bitPattern: UInt16(block.number(in: unitBits)))) }

    func setUnit(_ half: UInt16, of block: inout [UInt8]) { block.set(Int(half), in: unitBits) }

    /// The scale that a column has.
    func scale(of column: Int, in block: [UInt8]) -> Float {
        unit(of: block) * Float(2 * block.number(in: [quantBits(column / sharing)]) + 1) * factor
    }

    /// What the levels of a column stand for.
    func numbers(of column: Int, in block: [UInt8]) -> [Float] {
        let scale = scale(of: column, in: block)
        guard signs == .inNumbers else { return levels.map { $0 * scale } }
        let shift: Float = block.number(in: [shiftBit(column)]) == 1 ? -1.125 : -0.875
        return levels.map { ($0 + shift) * scale }
    }

    /// Has a scale be the multiple of the unit nearest to `scale`.
    func setScale(_ scale: Float, at index: Int, in block: inout [UInt8]) {
        let bits = quantBits(index)
        let quant = 0.5 * (scale / (unit(of: block) * factor) - 1)
        // A NaN is as good as zero.
        let held = min(quant > 0 ? quant : 0, Float(1 << bits.count - 1))
        block.set(Int(held.rounded(.toNearestOrEven)), in: [bits])
    }

    /// Puts the point that begins at a column into a block.
    func store(_ point: [Int], negative: [Bool], at column: Int, in block: inout [UInt8]) {
        guard let index = book.index(of: point) else { preconditionFailure("a point of the book") }
        block.set(index, in: indexBits(column / book.dimension))
        for (place, isNegative) in zip(column..., negative) {
            let bits = signBits(place / 8).dropFirst(place % 8).prefix(1)
            block.set(isNegative ? 1 : 0, in: bits.isEmpty ? [] : [bits])
        }
    }
}

extension [UInt8] {
    /// The bits of some ranges, the lowest first.
    fileprivate func number(in ranges: [Range<Int>]) -> Int {
        ranges.joined().enumerated().reduce(0) { $0 | (Int(self[$1.element / 8]) >> ($1.element % 8) & 1) << $1.offset }
    }

    fileprivate mutating func set(_ number: Int, in ranges: [Range<Int>]) {
        for (place, bit) in ranges.joined().enumerated() {
            let mask = UInt8(1) << UInt8(bit % 8)
            self[bit / 8] = number >> place & 1 == 1 ? self[bit / 8] | mask : self[bit / 8] & ~mask
        }
    }
}
