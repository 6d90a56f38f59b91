import CQuernKernels

/// The factor of a Gram matrix in the form in which it is computed: U of UᵀU, in strips of columns, with the inputs in
/// the order opposite to that in which they are rounded. Turned around, it is V√D.
struct FactorStrips {
    private let count: Int
    private let strips: [Float]
    /// Where columns of U begin.
    private let columns: [Int]
    /// The diagonal of U.
    private let roots: [Double]

    private static let width = Int(quern_factor_strip)

    /// - Parameters:
    ///   - gram: the upper triangle, row by row.
    ///   - factors: of the inputs, by which they are multiplied beforehand.
    ///   - order: in which the inputs are rounded.
    ///   - damping: what is added to the diagonal.
    /// - Returns: nil where the matrix is not positive definite.
    init?(
        _ gram: ArraySlice<Double>, _ factors: [Double], _ order: [Int], damping: Double,
        factoring: Feedback.Factoring
    ) {
        let (count, width) = (order.count, Self.width)
        let columns = (0..<count).map { column in
            let strip = column / width
            return strip * (strip + 1) / 2 * width * width + column % width
        }
        var places = [Int](repeating: 0, count: count)
        for (place, input) in order.enumerated() { places[input] = count - 1 - place }
        let whole = (count + width - 1) / width
        let capacity = whole * (whole + 1) / 2 * width * width
        var isFactored = false
        strips = [Float](unsafeUninitializedCapacity: capacity) { strips, initialized in
            strips.initialize(repeating: 0)
            initialized = capacity
            gram.withUnsafeBufferPointer { gram in
                var next = 0
                for row in 0..<count {
                    let (place, factor) = (places[row], factors[row])
                    strips[columns[place] + place * width] = Float(gram[next] * factor * factor + damping)
                    for column in row + 1..<max(count, row + 1) {
                        let other = places[column]
                        let start = other > place ? columns[other] + place * width : columns[place] + other * width
                        strips[start] = Float(gram[next + column - row] * factor * factors[column])
                    }
                    next += count - row
                }
            }
            isFactored = factoring(strips, count)
        }
        guard isFactored else { return nil }
        self.count = count
        self.columns = columns
        roots = (0..<count).map { [strips] in Double(strips[columns[$0] + $0 * width]) }
    }

    /// D, in the order in which inputs are rounded.
    var variances: [Float] { roots.reversed().map { Float($0 * $0) } }

    /// V by panels.
    var panels: [Float] {
        let values = Feedback.panelValues(count)
        return [Float](unsafeUninitializedCapacity: values) { panels, initialized in
            var next = 0
            for first in stride(from: 0, to: count, by: Feedback.panelColumns) {
                let end = min(count, first + Feedback.panelColumns)
                let inverse = (first..<end).map { 1 / roots[count - 1 - $0] }
                for earlier in 0..<end {
                    let start = columns[count - 1 - earlier]
                    for column in first..<end {
                        let value = earlier < column ? strips[start + (count - 1 - column) * Self.width] : 0
                        panels[next] = earlier == column ? 1 : Float(Double(value) * inverse[column - first])
                        next += 1
                    }
                }
            }
            initialized = next
        }
    }
}
