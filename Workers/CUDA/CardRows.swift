import QuernCUDA
import QuernKernels

/// Rows on their way to a card: as BF16 numbers where all values are such, which is half the bytes, and as F32 otherwise.
struct CardRows {
    let stream: CUDAStream
    /// `DeviceProgram.rows`.
    let program: Card.Loaded

    /// Rows in the card's memory, and what is made of them.
    struct Sent {
        let count: Int
        let columns: Int
        let values: DeviceMemory
        /// A value for each column.
        let importance: DeviceMemory?
        let encoded: DeviceMemory
    }

    /// - Parameters:
    ///   - staging: pinned, four bytes for each value; left alone until the stream has gone on.
    ///   - numbers: memory of the card for two bytes of each value, taken where it is needed.
    ///   - values: memory of the card that becomes the values.
    func send(
        _ rows: UnsafeBufferPointer<Float>, through staging: UnsafeMutableRawBufferPointer,
        numbers: () throws -> DeviceMemory, to values: DeviceMemory
    ) throws {
        guard Kernels.packBrainFloats(rows, into: staging) else {
            staging.copyMemory(from: UnsafeRawBufferPointer(rows))
            return try stream.copy(UnsafeRawBufferPointer(rebasing: staging[..<(4 * rows.count)]), to: values)
        }
        let numbers = try numbers()
        try stream.copy(UnsafeRawBufferPointer(rebasing: staging[..<(2 * rows.count)]), to: numbers)
        try stream.launch(program, DeviceProgram.rowValues, threads: rows.count) {
            $0.append(numbers)
            $0.append(counts: rows.count)
            $0.append(values)
        }
    }
}
