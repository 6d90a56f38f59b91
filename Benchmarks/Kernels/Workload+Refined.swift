import QuernFormats
import QuernKernels

extension Workload {
    /// The speed of the refined encoder; nil for types without one. Inputs are as correlated as neighbours in a text.
    func measureRefined(_ type: ElementType, with set: InstructionSet) throws -> Double? {
        guard type.isRefined else { return nil }
        var correlations: [Double] = [1]
        for _ in 1..<columns { correlations.append(correlations[correlations.count - 1] * 0.9) }
        let roots = importance.map { Double($0).squareRoot() }
        let gram = (0..<columns).flatMap { row in
            (row..<columns).map { roots[row] * roots[$0] * correlations[$0 - row] }
        }
        let feedback = Feedback(
            blocks: [
                try Feedback.Block(
                    gram: gram[...], count: columns, first: 0, unit: type.blockSize, run: type.refinedRun)
            ])
        var bytes = [UInt8](repeating: 0, count: type.bytes(elements: values.count) ?? 0)
        let rowBytes = bytes.count / (values.count / columns)
        return values.withUnsafeBufferPointer { values in
            bytes.withUnsafeMutableBytes { bytes in
                withUnsafeTemporaryAllocation(of: Float.self, capacity: Kernels.refiningScratch(columns: columns)) {
                    scratch in
                    rate {
                        for row in stride(from: 0, to: values.count / columns, by: Kernels.refinedRows) {
                            let end = min(row + Kernels.refinedRows, values.count / columns)
                            Kernels.refine(
                                type, rows: UnsafeBufferPointer(rebasing: values[row * columns..<end * columns]),
                                columns: columns, importance: importance, feedback: feedback, scratch: scratch,
                                into: UnsafeMutableRawBufferPointer(rebasing: bytes[row * rowBytes..<end * rowBytes]),
                                with: set)
                        }
                    }
                }
            }
        }
    }
}
