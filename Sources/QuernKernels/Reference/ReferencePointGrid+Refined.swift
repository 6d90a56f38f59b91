extension ReferencePointGrid {
    /// A block rounded to points, one after the other.
    /// - Parameters:
    ///   - usual: the block with the scales of the type's usual encoder.
    ///   - size: by which they are multiplied.
    ///   - scales: what they are to be near to instead.
    /// - Returns: with the scales that would fit the points best.
    func round(
        _ columns: RefinedColumns, _ usual: [UInt8], size: Float, scales: [Float]?
    ) -> (trial: RefinedTrial, fitted: [Float]) {
        var trial = RefinedTrial(encoded: usual)
        setUnit((unit(of: usual) * size).halfBits, of: &trial.encoded)
        for (index, scale) in (scales ?? []).enumerated() { setScale(scale, at: index, in: &trial.encoded) }
        var sums = [(products: Float, squares: Float)](repeating: (0, 0), count: columns.columns.count / sharing)
        var even: [Bool] = []
        for place in stride(from: 0, to: columns.columns.count, by: book.dimension) {
            let first = columns.columns[place]
            if signs == .even, place % 8 == 0 { even = evenSigns(columns, place, trial.differences) }
            let search = PointSearch(
                columns, place..<place + book.dimension, trial.differences,
                numbers: numbers(of: first, in: trial.encoded), signs: signs, even: Array(even.dropFirst(place % 8)))
            let best = search.best(points, book)
            store(best.levels, negative: best.negative, at: first, in: &trial.encoded)
            for (i, made) in best.made.enumerated() {
                trial.differences.append(columns.weights[place + i] - made)
                let weighed = columns.variances[place + i] * made
                sums[first / sharing].products += weighed * best.values[i]
                sums[first / sharing].squares += weighed * made
            }
            trial.loss += best.loss
        }
        let fitted = sums.enumerated().map { index, sums in
            let scale = scale(of: index * sharing, in: trial.encoded)
            return sums.squares > 0 ? scale * (sums.products / sums.squares) : scale
        }
        return (trial, fitted)
    }

    /// The signs of eight columns, if they could have any values: where the number of negative ones is odd, that of the
    /// value changes whose sign matters least.
    private func evenSigns(_ columns: RefinedColumns, _ place: Int, _ differences: [Float]) -> [Bool] {
        var values: [Float] = []
        for i in 0..<8 {
            values.append(
                values.enumerated().reduce(columns.value(place + i, differences)) {
                    $0 + columns.factor(place + $1.offset, place + i)
                        * (columns.weights[place + $1.offset] - $1.element)
                })
        }
        func weight(_ i: Int) -> Float { columns.variances[place + i] * (values[i] * values[i]) }
        let lightest = (1..<8).reduce(0) { weight($1) < weight($0) ? $1 : $0 }
        var signs = values.map { $0 < 0 }
        if signs.count(where: { $0 }) % 2 == 1 { signs[lightest].toggle() }
        return signs
    }
}

/// The columns that share a point: rounded to any of them one after the other, each corrected by those before it.
private struct PointSearch {
    struct Rounded {
        let levels: [Int]
        /// The columns as they were corrected, and what they were rounded to.
        var values: [Float] = []
        var made: [Float] = []
        var negative: [Bool] = []
        var loss: Float = 0
    }

    private let targets: [Float]
    private let weights: [Float]
    private let variances: [Float]
    /// V: [later][earlier].
    private let factors: [[Float]]
    private let numbers: [Float]
    private let signs: ReferencePointGrid.Signs
    private let even: [Bool]

    /// - Parameters:
    ///   - places: of them in the block.
    ///   - differences: of all columns before them.
    ///   - even: their signs, where a point does not choose them.
    init(
        _ columns: RefinedColumns, _ places: Range<Int>, _ differences: [Float], numbers: [Float],
        signs: ReferencePointGrid.Signs, even: [Bool]
    ) {
        targets = places.map { columns.value($0, differences) }
        weights = Array(columns.weights[places])
        variances = Array(columns.variances[places])
        factors = places.map { later in (places.lowerBound..<later).map { columns.factor($0, later) } }
        self.numbers = numbers
        self.signs = signs
        self.even = even
    }

    /// What loses least: of several the one to begin with, or the first.
    func best(_ points: [[Int]], _ book: ReferenceCodebook) -> Rounded {
        let nearest = nearestLevels()
        let start = book.index(of: nearest) ?? book.neighbours(of: nearest)[0]
        guard var best = rounded(to: book.points[start], below: nil) else { preconditionFailure("without a bound") }
        for point in points {
            if let better = rounded(to: point, below: best.loss) { best = better }
        }
        return best
    }

    /// A column corrected by those before it.
    private func value(_ column: Int, _ made: [Float]) -> Float {
        var value = targets[column]
        for earlier in 0..<column { value += factors[column][earlier] * (weights[earlier] - made[earlier]) }
        return value
    }

    private func isNegative(_ value: Float, _ column: Int) -> Bool {
        switch signs {
        case .inNumbers: false
        case .free: value < 0
        case .even: even[column]
        }
    }

    /// - Returns: nil as soon as it loses no less than `bound`.
    private func rounded(to levels: [Int], below bound: Float?) -> Rounded? {
        var rounded = Rounded(levels: levels)
        for (column, level) in levels.enumerated() {
            let value = value(column, rounded.made)
            let isNegative = isNegative(value, column)
            let made = isNegative ? -numbers[level] : numbers[level]
            rounded.loss += variances[column] * ((value - made) * (value - made))
            if let bound, !(rounded.loss < bound) { return nil }
            rounded.values.append(value)
            rounded.made.append(made)
            rounded.negative.append(isNegative)
        }
        return rounded
    }

    /// The columns rounded one by one, to a point of the book or not.
    private func nearestLevels() -> [Int] {
        var made: [Float] = []
        return targets.indices.map { column in
            let value = value(column, made)
            let isNegative = isNegative(value, column)
            let magnitude = isNegative ? -value : value
            let above = (1..<numbers.count).filter { magnitude > 0.5 * (numbers[$0 - 1] + numbers[$0]) }
            let number = numbers[above.last ?? 0]
            made.append(isNegative ? -number : number)
            return above.count
        }
    }
}
