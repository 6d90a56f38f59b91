import QuernCUDA
import QuernKernels

/// Factors matrices on a card: see `Kernels.factor`.
struct CardFactor {
    let context: CUDAContext
    let program: Card.Loaded

    /// What stands for no row.
    private static let none = UInt32.max

    /// - Returns: whether the matrix is positive definite.
    /// - Throws: `CUDAFailure`; the strips are as they were then.
    func factor(_ strips: UnsafeMutableBufferPointer<Float>, count: Int) throws -> Bool {
        let width = WeightKernel.strip, square = width * width
        let wholes = (count + width - 1) / width
        guard wholes > 0 else { return true }
        let stream = try CUDAStream(context)
        let matrix = try DeviceMemory(context, count: strips.count * 4)
        let squares = try DeviceMemory(context, count: wholes * square * 8)
        let finished = try DeviceMemory(context, count: square * 8)
        let failed = try DeviceMemory(context, count: 4)
        try stream.fill(failed, with: 0xff)
        try stream.copy(UnsafeRawBufferPointer(strips), to: matrix)
        for strip in 0..<wholes {
            let rows = min(width, count - strip * width)
            try stream.launch(program, WeightKernel.factorSquares.rawValue, threads: (wholes - strip) * square) {
                $0.append(matrix)
                $0.append(counts: strip, wholes)
                $0.append(squares)
            }
            for row in 0..<rows {
                try stream.launch(program, WeightKernel.factorRow.rawValue, threads: width) {
                    $0.append(matrix)
                    $0.append(counts: strip, row)
                    $0.append(squares)
                    $0.append(finished)
                    $0.append(failed)
                }
            }
            try stream.launch(program, WeightKernel.factorColumns.rawValue, threads: (wholes - strip - 1) * width) {
                $0.append(matrix)
                $0.append(counts: strip, wholes, rows)
                $0.append(finished)
                $0.append(squares)
            }
        }
        // What arrives is a copy, for a card that is lost meanwhile may have sent a part.
        let arrived = try PinnedMemory(context, count: max(4, strips.count * 4))
        let first = UnsafeMutableRawBufferPointer(rebasing: arrived.bytes[..<4])
        try stream.copy(failed, to: first)
        try stream.synchronize()
        guard first.load(as: UInt32.self) == Self.none else { return false }
        try stream.copy(matrix, to: arrived.bytes)
        try stream.synchronize()
        UnsafeMutableRawBufferPointer(strips).copyMemory(from: UnsafeRawBufferPointer(arrived.bytes))
        return true
    }
}
