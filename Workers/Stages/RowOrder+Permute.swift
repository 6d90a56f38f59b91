import QuernJobs

extension RowOrder {
    /// Rows that have to be at hand together: a chunk of rows is a whole number of these.
    var groupRows: Int {
        switch self {
        case .asStored: 1
        case .interleaveHalves(let size): size
        }
    }

    /// Brings rows into the artifact's order: of every group of `size` rows, row 2i + j is row j·size/2 + i of the
    /// source.
    /// - Parameters:
    ///   - rows: whole groups of rows of `rowBytes` bytes.
    ///   - output: as large as `rows`, elsewhere.
    func permute(
        _ rows: UnsafeRawBufferPointer, rowBytes: Int, into output: UnsafeMutableRawBufferPointer
    ) {
        guard let from = rows.baseAddress, let to = output.baseAddress, rows.count == output.count else { return }
        guard case .interleaveHalves(let size) = self else { return output.copyMemory(from: rows) }
        let half = size / 2
        let groupBytes = size * rowBytes
        for group in stride(from: 0, to: rows.count, by: groupBytes) {
            for i in 0..<half {
                for j in 0..<2 {
                    (to + group + (2 * i + j) * rowBytes)
                        .copyMemory(from: from + group + (j * half + i) * rowBytes, byteCount: rowBytes)
                }
            }
        }
    }
}
