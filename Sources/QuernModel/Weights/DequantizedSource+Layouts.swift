import QuernFormats
import QuernKernels
import QuernStore

extension DequantizedSource {
    /// Bytes of the share that rows have in a component.
    private func size(of part: Place, rows: Int) -> Int {
        matrix.storage.bytes(of: part.component, rows: rows, columns: matrix.columns, source: matrix.scaleType) ?? 0
    }

    /// The numbers of rows that another layout than compressed-tensors' has.
    func others(_ rows: Range<Int>) throws -> [WeightComponent: [UInt8]] {
        var stored: [WeightComponent: [UInt8]] = [:]
        // Magnitudes before these in the group of the first.
        let groups = matrix.columns / (matrix.storage.numbers.group ?? matrix.columns)
        let skipped = rows.lowerBound * groups % WeightStorage.nestedGroup
        for part in parts {
            let (before, share) = (size(of: part, rows: rows.lowerBound), size(of: part, rows: rows.count))
            if part.component == .magnitudeOfMagnitudes {
                let first = rows.lowerBound * groups / WeightStorage.nestedGroup
                let end = (rows.upperBound * groups + WeightStorage.nestedGroup - 1) / WeightStorage.nestedGroup
                stored[part.component] = try part.file.bytes(
                    at: part.offset + UInt64(4 * first), count: 4 * (end - first))
                continue
            }
            guard matrix.storage.isTransposed(part.component) else {
                stored[part.component] = try part.file.bytes(at: part.offset + UInt64(before), count: share)
                continue
            }
            let shape = matrix.storage.shape(of: part.component, rows: matrix.rows, columns: matrix.columns)
            let lines = max(shape.first ?? 1, 1)
            let stride = UInt64(size(of: part, rows: matrix.rows) / lines)
            var bytes = [UInt8](repeating: 0, count: share)
            try bytes.withUnsafeMutableBytes { bytes in
                for line in 0..<lines {
                    let range = line * (share / lines)..<(line + 1) * (share / lines)
                    try part.file.read(
                        at: part.offset + UInt64(before / lines) + UInt64(line) * stride,
                        into: UnsafeMutableRawBufferPointer(rebasing: bytes[range]))
                }
            }
            stored[part.component] = bytes
        }
        return Kernels.numbers(
            matrix.storage, stored, rows: rows.count, columns: matrix.columns, offset: matrix.offset, skipped: skipped)
    }
}
