import CQuernKernels
import QuernFormats

extension Kernels {
    /// Rows that are fitted in one call at most.
    public static let fittedRows = 128

    /// Values that `fit` needs room for, called with the same parameters.
    public static func fittingScratch(
        _ format: WeightFormat, source: SafetensorsType, columns: Int, globalScale: Float? = nil
    ) -> Int {
        let layout = quern_weight_layout(format, source: source, columns: columns, globalScale: globalScale)
        return withUnsafePointer(to: layout) { quern_fit_scratch($0, columns) }
    }

    /// Rounds weights so that what the layer puts out changes little.
    ///
    /// Scales (and zero points) are searched for each group: of those tried, the one with the least Σ importance·(w − ŵ)².
    /// With `feedback`, the errors of inputs are then made good by inputs that are rounded after them. Blocks of rows and
    /// columns keep the scale of rounding to nearest. The bytes are the same on every instruction set; calls keep no
    /// state.
    /// - Parameters:
    ///   - source: the type that the weights came in, and their scales are stored in: F16, BF16 or F32.
    ///   - rows: [n, columns] finite values, n at most `fittedRows`; a multiple of `format.rowMultiple`, or these are the
    ///     last rows of the tensor.
    ///   - globalScale: as that of `quantize`.
    ///   - importance: a value of at least 0 for each column; nil where all matter alike.
    ///   - feedback: of all columns; nil for none.
    ///   - scratch: room for `fittingScratch(_:source:columns:globalScale:)` values.
    ///   - outputs: as those of `quantize`.
    public static func fit(
        _ format: WeightFormat, source: SafetensorsType, rows: UnsafeBufferPointer<Float>, columns: Int,
        globalScale: Float? = nil, importance: [Float]? = nil, feedback: Feedback? = nil,
        scratch: UnsafeMutableBufferPointer<Float>, into outputs: [WeightComponent: UnsafeMutableRawBufferPointer],
        with set: InstructionSet = .best
    ) {
        let layout = quern_weight_layout(format, source: source, columns: columns, globalScale: globalScale)
        precondition(rows.count % columns == 0 && rows.count / columns <= fittedRows, "at most 128 whole rows")
        precondition(importance.map { $0.count == columns } ?? true, "a value for each column")
        let count = rows.count / columns
        let parts = quern_weight_parts(format, source: source, rows: count, columns: columns) { outputs[$0] }
        guard let values = rows.baseAddress, count > 0 else { return }
        let blocks = feedback?.blocks ?? []
        precondition(blocks.isEmpty || blocks.reduce(0) { $0 + $1.order.count } == columns, "every column once")
        precondition(
            scratch.count >= withUnsafePointer(to: layout) { quern_fit_scratch($0, columns) }, "too little room")
        let done = withAid(importance, blocks) { aid in
            var (aid, layout, parts) = (aid, layout, parts)
            return quern_fit(set.rawValue, &layout, values, count, columns, &aid, scratch.baseAddress, &parts)
        }
        precondition(done, "no kernel for \(format) with \(set)")
    }
}
