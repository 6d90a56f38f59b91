import QuernFormats
import QuernJobs
import QuernKernels
import QuernStore

/// Encodes rows of a tensor to blocks of a type, by what is known of the tensor's inputs.
struct BlockEncoder {
    let type: ElementType
    let rowBytes: Int
    private let engine: any EncodingEngine
    private let span: Span
    private let findings: Findings
    /// Vectors of the importance matrix, one after the other.
    private let importance: [Float]?
    /// Which of them rows have.
    private let weights: Importance?
    private let refinement: Refinement?
    /// Of the matrix that was encoded last.
    private var refining: (item: Int, matrix: Int, refining: Refining)?

    /// Rows that are best encoded together, or a multiple.
    var rowMultiple: Int { refinement == nil ? 1 : Kernels.refinedRows }

    /// - Parameters:
    ///   - engine: what encodes.
    ///   - rescaler: of the rows that will be encoded.
    ///   - vectors: what the vectors of an importance matrix are.
    /// - Throws: what `vectors` throws; `.unsupported` and `.invalidInput` where the span cannot become such blocks.
    init(
        _ output: EncodeOutput, of type: ElementType, on engine: any EncodingEngine, span: Span, rescaler: Rescaler,
        findings: Findings,
        vectors: (Importance) throws -> [Float]
    ) throws {
        guard output.isCopy(span) || (EncodableTypes.contains(span.sourceType) && EncodableTypes.contains(type)) else {
            throw QuernError(
                .unsupported, "cannot make \(type) from \(span.sourceType)", at: span.tensor,
                remedy: "Choose another type for this tensor")
        }
        guard span.columns % type.blockSize == 0, let rowBytes = type.bytes(elements: span.columns) else {
            throw QuernError(
                .invalidInput, "rows of \(span.columns) are not whole blocks of \(type)", at: span.tensor)
        }
        self.type = type
        self.engine = engine
        self.rowBytes = rowBytes
        self.span = span
        self.findings = findings
        weights = output.weights(span)
        importance = try weights.map { importance in
            var vectors = try vectors(importance)
            rescaler.divide(&vectors, columns: span.columns, first: 0, matrix: importance.matrix)
            return vectors
        }
        refinement = output.refinement(span)
    }

    /// - Parameters:
    ///   - values: whole rows.
    ///   - firstRow: the first of them in the tensor.
    ///   - encoded: `rowBytes` for each.
    ///   - error: what was lost of the rows before; what is lost of these is added. Nil where nobody asks.
    mutating func encode(
        _ values: UnsafeBufferPointer<Float>, firstRow: Int, _ scratch: Scratch,
        into encoded: UnsafeMutableRawBufferPointer, error: inout EncodingError?
    ) throws {
        guard let importance, let weights else {
            try engine.encode(
                type, rows: values, columns: span.columns, importance: nil, into: encoded, error: &error, scratch)
            return
        }
        // Rows of several matrices may come together; a call gets those of one.
        let rows = values.count / span.columns
        var row = 0
        while row < rows {
            let tensorRow = firstRow + row
            let count = min(rows - row, weights.rowsPerMatrix - tensorRow % weights.rowsPerMatrix)
            let matrix = weights.matrix(of: tensorRow)
            let own = importance[matrix * span.columns..<(matrix + 1) * span.columns]
            let some = UnsafeBufferPointer(rebasing: values[row * span.columns..<(row + count) * span.columns])
            let target = UnsafeMutableRawBufferPointer(rebasing: encoded[row * rowBytes..<(row + count) * rowBytes])
            if let refinement {
                try engine.refine(
                    type, rows: some, columns: span.columns,
                    by: refining(refinement, tensorRow: tensorRow, matrix: matrix, own), into: target, error: &error,
                    scratch)
            } else {
                try own.withUnsafeBufferPointer {
                    try engine.encode(
                        type, rows: some, columns: span.columns, importance: $0, into: target, error: &error, scratch)
                }
            }
            row += count
        }
    }

    private mutating func refining(
        _ refinement: Refinement, tensorRow: Int, matrix: Int, _ importance: ArraySlice<Float>
    ) throws -> Refining {
        guard let item = refinement.factor(of: tensorRow) else {
            throw QuernError(.invalidInput, "the work item has no factor for row \(tensorRow)", at: span.tensor)
        }
        if let refining, refining.item == item, refining.matrix == matrix { return refining.refining }
        // A factor is large: never two at a time, and none read twice where matrices share it.
        let known = refining.flatMap { $0.item == item ? $0.refining.feedback : nil }
        refining = nil
        let feedback =
            try known ?? SharedFeedback(findings.feedback(findings.factor(of: item), columns: span.columns))
        guard feedback.value.isMade(for: type, columns: span.columns) else {
            throw QuernError(.invalidInput, "the factor is not one for \(type)", at: span.tensor)
        }
        let made = Refining(importance: Array(importance), feedback: feedback)
        refining = (item, matrix, made)
        return made
    }
}

extension Importance {
    /// The vectors, held to cover all rows of a span.
    func read(for span: Span, _ blobs: BlobAccess, _ control: WorkControl) throws -> [Float] {
        guard let digest else {
            throw QuernError(.internalFault, "its importance is not known yet", at: span.tensor)
        }
        let bytes = try blobs.get(digest, control)
        let matrices = bytes.count / 4 / span.columns
        guard rowsPerMatrix > 0, bytes.count == matrices * span.columns * 4,
            matrix(of: span.firstRow + span.rows - 1) < matrices
        else {
            throw QuernError(
                .invalidInput, "the importance matrix does not have the shape of the tensor", at: span.tensor,
                remedy: "Compute it for this very model")
        }
        return bytes.littleEndianFloats
    }
}
