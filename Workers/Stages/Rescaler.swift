import QuernJobs

/// Changes the values of a tensor by balance vectors before they are encoded.
struct Rescaler {
    let rescalings: [Rescaling]
    private let vectors: [[Float]]

    /// - Throws: as `Findings.balance`.
    init(_ rescalings: [Rescaling], columns: Int, _ findings: Findings) throws {
        self.rescalings = rescalings
        vectors = try rescalings.map {
            try findings.balance(of: $0.item, channels: $0.kind == .inputs ? columns : $0.count)
        }
    }

    var isEmpty: Bool { rescalings.isEmpty }

    /// - Parameters:
    ///   - values: [rows, columns].
    ///   - firstRow: counted through the whole tensor.
    func apply(to values: UnsafeMutableBufferPointer<Float>, columns: Int, firstRow: Int) {
        let rows = firstRow..<firstRow + values.count / columns
        for (rescaling, vector) in zip(rescalings, vectors) {
            let range = rescaling.first..<rescaling.first + rescaling.count
            switch rescaling.kind {
            case .inputs:
                for row in rows.clamped(to: range) {
                    let start = (row - firstRow) * columns
                    for column in 0..<columns { values[start + column] *= vector[column] }
                }
            case .outputs:
                for row in rows.clamped(to: range) {
                    let start = (row - firstRow) * columns
                    let divisor = vector[row - rescaling.first]
                    for column in 0..<columns { values[start + column] /= divisor }
                }
            case .elements:
                let first = firstRow * columns
                let addend = Double(rescaling.addend)
                for element in (first..<first + values.count).clamped(to: range) {
                    let value = (Double(values[element - first]) + addend) / Double(vector[element - rescaling.first])
                    values[element - first] = Float(value - addend)
                }
            }
        }
    }

    /// Divides mean squares of inputs as the inputs are.
    /// - Parameters:
    ///   - importance: [matrices, columns].
    ///   - first: the first of these matrices.
    ///   - matrix: that of a row.
    func divide(_ importance: inout [Float], columns: Int, first: Int, matrix: (Int) -> Int) {
        for (rescaling, vector) in zip(rescalings, vectors) where rescaling.kind == .inputs {
            let start = (matrix(rescaling.first) - first) * columns
            guard importance.indices.contains(start) else { continue }
            for column in 0..<columns { importance[start + column] /= vector[column] * vector[column] }
        }
    }
}
