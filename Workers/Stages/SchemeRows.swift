import QuernFormats
import QuernJobs
import QuernKernels

/// Rows of a matrix in a scheme of safetensors: what is lost in it.
struct SchemeRows {
    private let scheme: MeasureWork.Scheme
    private let input: MeasureWork.Input
    private let columns: Int
    private let findings: Findings

    init(_ scheme: MeasureWork.Scheme, of input: MeasureWork.Input, columns: Int, findings: Findings) {
        self.scheme = scheme
        self.input = input
        self.columns = columns
        self.findings = findings
    }

    /// tr(ΔHΔᵀ) of rows that may come from anywhere in the matrix.
    /// - Parameters:
    ///   - importance: a value for each column.
    ///   - gram: the blocks of H along its diagonal, each in full with its columns.
    func loss(
        of values: [Float], importance: [Float], gram: [(columns: Range<Int>, values: [Float])], _ scratch: Scratch
    ) throws -> Double {
        let encoder = try encoder(of: values, importance: importance)
        let step = Kernels.fittedRows * columns
        var loss = 0.0
        for start in stride(from: 0, to: values.count, by: step) {
            let piece = values[start..<min(start + step, values.count)]
            let rounded = try piece.withUnsafeBufferPointer { try encoder.rounded($0, scratch) }
            for index in rounded.indices { rounded[index] -= piece[start + index] }
            loss += try RowSample.squares(UnsafeBufferPointer(rounded), columns: columns, gram: gram, scratch)
        }
        return loss
    }

    private func encoder(of values: [Float], importance: [Float]) throws -> WeightEncoder {
        let method = scheme.method
        var aid = WeightEncoder.Aid()
        if method.feedsBack {
            guard let factor = input.factor else {
                throw QuernError(.internalFault, "the work item has no factor for it", at: input.reference.tensor)
            }
            aid.feedback = try findings.feedback(findings.factor(of: factor), columns: columns)
        } else if method != .nearest {
            aid.importance = importance
        }
        if scheme.storage.numbers == .nvfp4 {
            // Scales that hang on the largest of all weights are hardly other ones.
            aid.magnitudes = ScanResult(weights: values.reduce(0) { max($0, $1.magnitude) }, input: nil)
        }
        return try WeightEncoder(
            QuantizedWeight(
                storage: scheme.storage, source: scheme.source, rows: values.count / columns,
                rounding: QuantizedWeight.Rounding(searches: method != .nearest)),
            columns: columns, aid: aid)
    }
}
