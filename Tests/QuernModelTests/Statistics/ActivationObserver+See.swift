import QuernModel
import QuernPlanning

extension ActivationObserver {
    /// Shows rows as a decoder does that computes on the processor.
    func see(_ rows: UnsafeBufferPointer<Float>, of input: LinearInput, matrix: Int, chunk: Int) {
        let form = form(of: input)
        if form != .moments { observe(input, matrix: matrix, rows: rows, chunk: chunk) }
        guard form != .rows, !rows.isEmpty else { return }
        observe(input, matrix: matrix, moments: RowMoments(of: rows, columns: input.channels), chunk: chunk)
    }
}
