/// A tensor of a GGUF file as its header describes it.
public struct GGUFTensor: Sendable, Equatable {
    public let name: String
    /// Innermost dimension first; rank 1 to 4, every dimension at least 1.
    public let shape: [Int]
    public let type: ElementType
    /// Where its bytes begin, from the beginning of its file.
    public let offset: UInt64
    /// Its size in bytes, without padding.
    public let bytes: UInt64
    /// Position of its file in `GGUFModel.files`; 0 where there is one file.
    public let file: Int

    public init(name: String, shape: [Int], type: ElementType, offset: UInt64, bytes: UInt64, file: Int = 0) {
        self.name = name
        self.shape = shape
        self.type = type
        self.offset = offset
        self.bytes = bytes
        self.file = file
    }

    func inFile(_ file: Int) -> GGUFTensor {
        GGUFTensor(name: name, shape: shape, type: type, offset: offset, bytes: bytes, file: file)
    }
}

extension ElementType {
    /// Bytes of a tensor of this type.
    /// - Parameter shape: innermost dimension first; every row is a whole number of blocks.
    /// - Returns: nil where a dimension is negative, rows end inside a block, or the product overflows.
    public func bytes(shape: [Int]) -> UInt64? {
        var rows = 1
        for dimension in shape.dropFirst() {
            guard dimension >= 0 else { return nil }
            let (product, overflow) = rows.multipliedReportingOverflow(by: dimension)
            guard !overflow else { return nil }
            rows = product
        }
        guard let row = bytes(elements: shape.first ?? 1) else { return nil }
        let (bytes, overflow) = row.multipliedReportingOverflow(by: rows)
        return overflow ? nil : UInt64(bytes)
    }
}
