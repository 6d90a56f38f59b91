/// What tensors of a layer hold that is the same for all layers of its width.
extension WeightStorage {
    /// Words of GPTQ's zero points: the middle of the range, less one.
    public var zeroPointWord: UInt32 { perWord == 8 ? 0x7777_7777 : 0x7F7F_7F7F }

    /// The little-endian word of a component at an index; nil where it depends on the weights.
    /// - Parameter columns: inputs.
    private func word(of component: WeightComponent, columns: Int) -> ((Int) -> UInt32)? {
        let group = numbers.group ?? max(columns, 1)
        switch component {
        case .groupIndex: return { UInt32(truncatingIfNeeded: $0 / group) }
        case .transposedZeroPoint where layout == .gptq: return { [zeroPointWord] _ in zeroPointWord }
        case .codes: return { NF4.codes[$0].bitPattern }
        case .magnitudeCodes: return { NF4.magnitudeCodes[$0].bitPattern }
        default: return nil
        }
    }

    /// The bytes of a component that is the same for all layers of a width and does not grow with rows; nil for others.
    public func constant(_ component: WeightComponent, columns: Int) -> [UInt8]? {
        if component == .weightFormat { return [0] }
        guard !component.hasRows, let word = word(of: component, columns: columns) else { return nil }
        let count = shape(of: component, rows: 0, columns: columns).reduce(1, *)
        return (0..<count).flatMap { index in
            (0..<4).map { UInt8(truncatingIfNeeded: word(index) >> (8 * $0)) }
        }
    }

    /// Whether a tensor of the right size holds what is the same for all layers; true where that depends on the weights.
    /// Reads to the first word that differs.
    public func isAsExpected(
        _ component: WeightComponent, _ tensor: SafetensorsTensor, in file: some ByteSource, columns: Int
    ) throws -> Bool {
        if component == .weightFormat { return try file.bytes(at: tensor.offset, count: 1) == [0] }
        guard let word = word(of: component, columns: columns) else { return true }
        for done in stride(from: 0, to: tensor.length, by: 64 << 10) {
            let bytes = try file.bytes(at: tensor.offset + done, count: Int(min(64 << 10, tensor.length - done)))
            let isSame = bytes.withUnsafeBytes { bytes in
                (0..<bytes.count / 4).allSatisfy { index in
                    UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
                        == word(Int(done) / 4 + index)
                }
            }
            guard isSame else { return false }
        }
        return true
    }
}
