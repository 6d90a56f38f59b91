import QuernFormats
import QuernKernels

/// Rows of numbers on their way into the tensors that a storage has of them.
struct StoredRows {
    let storage: WeightStorage
    let columns: Int
    /// Of magnitudes of NF4; 0 elsewhere.
    let offset: Float
    /// What is transposed waits until all rows are there.
    private var gathered: [WeightComponent: [UInt8]] = [:]
    private var rows = 0

    init(_ storage: WeightStorage, columns: Int, offset: Float) {
        (self.storage, self.columns, self.offset) = (storage, columns, offset)
    }

    typealias Append = (WeightComponent, UnsafeRawBufferPointer) throws -> Void

    /// - Parameters:
    ///   - numbers: components of the storage's numbers; they become what loaders see of them.
    ///   - count: rows of them.
    ///   - append: takes bytes that a tensor goes on with.
    mutating func add(
        _ numbers: [WeightComponent: UnsafeMutableRawBufferPointer], rows count: Int, _ append: Append
    ) throws {
        switch storage.layout {
        case .compressedTensors:
            for (component, bytes) in numbers { try append(component, UnsafeRawBufferPointer(bytes)) }
        case .awq, .gptq:
            for (component, bytes) in numbers { gathered[component, default: []] += bytes }
            rows += count
        case .bitsandbytes:
            let stored = Kernels.stored(
                storage, numbers.mapValues { Array($0) }, rows: count, columns: columns, offset: offset)
            for (component, bytes) in stored { try bytes.withUnsafeBytes { try append(component, $0) } }
            let read = Kernels.numbers(storage, stored, rows: count, columns: columns, offset: offset)
            for (component, bytes) in read { numbers[component]?.copyBytes(from: bytes) }
        }
    }

    /// Hands over what waited.
    mutating func finish(_ append: Append) throws {
        guard rows > 0 else { return }
        let stored = Kernels.stored(storage, gathered, rows: rows, columns: columns)
        gathered = [:]
        for (component, bytes) in stored { try bytes.withUnsafeBytes { try append(component, $0) } }
    }
}
