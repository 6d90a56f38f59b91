import QuernFormats
import QuernKernels
import QuernStore

extension DequantizedSource {
    /// The numbers of rows that another layout than compressed-tensors' has.
    func others(_ rows: Range<Int>) throws -> [WeightComponent: [UInt8]] {
        var stored: [WeightComponent: [UInt8]] = [:]
        // Magnitudes before these in the group of the first.
        let groups = matrix.columns / (matrix.storage.numbers.group ?? matrix.columns)
        let skipped = rows.lowerBound * groups % WeightStorage.nestedGroup
        for part in parts {
            func bytes(_ rows: Int) -> Int { matrix.bytes(of: part.component, rows: rows) }
            let (before, share) = (bytes(rows.lowerBound), bytes(rows.count))
            if part.component == .magnitudeOfMagnitudes {
                let first = rows.lowerBound * groups / WeightStorage.nestedGroup
                let end = (rows.upperBound * groups + WeightStorage.nestedGroup - 1) / WeightStorage.nestedGroup
                stored[part.component] = try part.file.bytes(
                    at: part.offset + UInt64(4 * first), count: 4 * (end - first))
                continue
            }
            guard part.component.isTransposed else {
                stored[part.component] = try part.file.bytes(at: part.offset + UInt64(before), count: share)
                continue
            }
            let lines = max(matrix.shape(of: part.component, rows: matrix.rows).first ?? 1, 1)
            let stride = UInt64(bytes(matrix.rows) / lines)
            var gathered = [UInt8](repeating: 0, count: share)
            try gathered.withUnsafeMutableBytes { gathered in
                for line in 0..<lines {
                    let range = line * (share / lines)..<(line + 1) * (share / lines)
                    try part.file.read(
                        at: part.offset + UInt64(before / lines) + UInt64(line) * stride,
                        into: UnsafeMutableRawBufferPointer(rebasing: gathered[range]))
                }
            }
            stored[part.component] = gathered
        }
        return Kernels.numbers(
            matrix.storage, stored, rows: rows.count, columns: matrix.columns, offset: matrix.offset, skipped: skipped)
    }
}
