import QuernFormats

/// The compressed-tensors formats in plain Swift: slow, readable, with the bytes of `Kernels.quantize`.
///
/// What llm-compressor 0.14 computes with tensors of the weights' type it computes in single precision and then rounds
/// to that type; so does this.
public enum ReferenceWeights {
    /// - Parameters: as those of `Kernels.quantize`.
    /// - Returns: the components except for `shape` and `globalScale`.
    public static func quantize(
        _ format: WeightFormat, source: SafetensorsType, rows: [Float], columns: Int, globalScale: Float? = nil
    ) -> [WeightComponent: [UInt8]] {
        let rows = stride(from: 0, to: rows.count, by: columns).map { Array(rows[$0..<$0 + columns]) }
        switch format {
        case .packed(let bits, let group, let isSymmetric):
            let integers = ReferenceIntegers(bits: bits, isSymmetric: isSymmetric, source: source)
            return packed(rows.map { integers.row($0, group: group ?? columns) }, integers)
        case .integer:
            let integers = ReferenceIntegers(bits: 8, isSymmetric: true, source: source)
            let quantized = rows.map { integers.row($0, group: columns) }
            return [
                .weight: quantized.flatMap { $0.flatMap(\.integers).map { UInt8(bitPattern: Int8($0)) } },
                .scale: quantized.flatMap { $0.flatMap { source.bytes($0.scale) } },
            ]
        case .float: return floats(rows, height: 1, width: columns, source: source)
        case .floatBlocks:
            return floats(rows, height: WeightFormat.blockLength, width: WeightFormat.blockLength, source: source)
        case .nvfp4: return nvfp4(rows, source: source, globalScale: globalScale ?? 1)
        case .mxfp4: return mxfp4(rows, source: source)
        case .nf4: return nf4(rows)
        case .absmax8: return absmax8(rows)
        }
    }

    /// The largest magnitude, zero of none.
    static func largest(_ values: some Sequence<Float>) -> Float {
        values.reduce(0) { max($0, $1.magnitude) }
    }

    static func packed(
        _ rows: [[ReferenceIntegers.Group]], _ integers: ReferenceIntegers
    ) -> [WeightComponent: [UInt8]] {
        var components: [WeightComponent: [UInt8]] = [
            .packed: rows.flatMap { integers.words($0.flatMap(\.integers)) },
            .scale: rows.flatMap { $0.flatMap { integers.source.bytes($0.scale) } },
        ]
        if !integers.isSymmetric {
            // Packed down the rows: word by word of a group, then turned so that the groups of some rows follow.
            let groups = rows.first?.indices ?? 0..<0
            let columns = groups.map { group in integers.words(rows.map { $0[group].zeroPoint }) }
            components[.zeroPoint] = stride(from: 0, to: columns.first?.count ?? 0, by: 4).flatMap { byte in
                columns.flatMap { $0[byte..<byte + 4] }
            }
        }
        return components
    }

    private static func floats(
        _ rows: [[Float]], height: Int, width: Int, source: SafetensorsType
    ) -> [WeightComponent: [UInt8]] {
        let columns = rows.first?.count ?? 0
        var codes = rows.map { [UInt8](repeating: 0, count: $0.count) }
        var scales: [UInt8] = []
        for top in stride(from: 0, to: rows.count, by: height) {
            for left in stride(from: 0, to: columns, by: width) {
                let block = left..<min(left + width, columns)
                let band = top..<min(top + height, rows.count)
                let scale = source.scale(largest(band.flatMap { rows[$0][block] }) / 448)
                scales += source.bytes(scale)
                for row in band {
                    for column in block {
                        let quotient = source.nearest(to: rows[row][column] / scale)
                        let code = ReferenceSmallFloat.e4m3.code(nearestTo: quotient.magnitude)
                        codes[row][column] = UInt8(code) | (quotient.sign == .minus ? 0x80 : 0)
                    }
                }
            }
        }
        return [.weight: codes.flatMap { $0 }, .scale: scales]
    }
}

extension SafetensorsType {
    /// A scale, rounded to this type; what stands in for zero is the distance from 1 to the next number.
    func scale(_ value: Float) -> Float {
        let rounded = nearest(to: value)
        if rounded != 0 { return rounded }
        switch self {
        case .f16: return Float(Float16.ulpOfOne)
        case .bf16: return 0x1p-7
        default: return Float.ulpOfOne
        }
    }

    /// The bytes of a number of this type.
    func bytes(_ value: Float) -> [UInt8] {
        switch self {
        case .f16: value.halfBits.littleEndianBytes
        case .bf16: value.brainFloatBits.littleEndianBytes
        default: value.bitPattern.littleEndianBytes
        }
    }
}
