import QuernFormats

/// `Kernels.fit` in plain Swift: slow, readable, with its bytes.
public enum ReferenceFit {
    /// What weights of a row are rounded to: a scale, and the code of zero.
    struct Choice {
        var scale: Float
        var zero: Float
    }

    /// - Parameters: as those of `Kernels.fit`.
    /// - Returns: the components except for `shape` and `globalScale`.
    public static func fit(
        _ format: WeightFormat, source: SafetensorsType, rows: [Float], columns: Int, globalScale: Float? = nil,
        importance: [Float]? = nil, feedback: Feedback? = nil
    ) -> [WeightComponent: [UInt8]] {
        let numbers = ReferenceNumbers(format: format, source: source, globalScale: globalScale ?? 1)
        let rows = stride(from: 0, to: rows.count, by: columns).map { Array(rows[$0..<$0 + columns]) }
        let width = format.group ?? columns
        let groups = stride(from: 0, to: columns, by: width).map { $0..<min($0 + width, columns) }
        var choices: [[Choice]]
        if format == .floatBlocks {
            let steps = groups.map { group in
                source.scale(ReferenceWeights.largest(rows.flatMap { $0[group] }) / 448)
            }
            choices = rows.map { _ in steps.map { Choice(scale: $0, zero: 0) } }
        } else {
            choices = rows.map { row in
                groups.map { group in
                    numbers.search(Array(row[group]), importance.map { Array($0[group]) })
                }
            }
        }
        let codes = zip(rows, choices).map { row, choices in
            round(row, feedback) { column, value in
                let choice = choices[column / width]
                let code = numbers.code(value / choice.scale, choice.zero)
                return (code, numbers.number(code, choice.zero) * choice.scale)
            }
        }
        return numbers.components(codes, choices)
    }

    /// - Parameter nearest: of a column and a value, the code and what it stands for.
    private static func round(
        _ row: [Float], _ feedback: Feedback?, nearest: (Int, Float) -> (code: Int, value: Float)
    ) -> [Int] {
        guard let feedback else { return row.indices.map { nearest($0, row[$0]).code } }
        var codes = [Int](repeating: 0, count: row.count)
        for block in feedback.blocks {
            var differences: [Float] = []
            for (place, column) in block.order.enumerated() {
                let column = block.first + Int(column)
                var value = row[column]
                for (earlier, difference) in differences.enumerated() {
                    value += block.factor(earlier, place) * difference
                }
                let (code, made) = nearest(column, value)
                codes[column] = code
                differences.append(row[column] - made)
            }
        }
        return codes
    }
}

extension Feedback.Block {
    /// V_kj.
    package func factor(_ earlier: Int, _ later: Int) -> Float {
        let panel = later / Feedback.panelColumns
        let width = min(order.count - panel * Feedback.panelColumns, Feedback.panelColumns)
        // Panels before it are whole.
        let start = Feedback.panelColumns * Feedback.panelColumns * (panel * (panel + 1) / 2)
        return panels[start + earlier * width + later % Feedback.panelColumns]
    }
}
