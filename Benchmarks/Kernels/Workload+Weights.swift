import QuernFormats
import QuernKernels

/// The compressed-tensors formats that are measured, by their names in the table.
enum WeightBenchmark {
    static let formats: [(name: String, format: WeightFormat)] = [
        ("W4A16", .packed(bits: 4, group: 128, isSymmetric: true)),
        ("W4A16_ASYM", .packed(bits: 4, group: 128, isSymmetric: false)),
        ("W8A16", .packed(bits: 8, group: 128, isSymmetric: true)),
        ("W8A8", .integer), ("FP8_DYNAMIC", .float), ("FP8_BLOCK", .floatBlocks), ("NVFP4A16", .nvfp4),
        ("MXFP4A16", .mxfp4),
    ]
}

extension Workload {
    /// The speed of rounding to a format, of the values as BF16.
    func measure(_ name: String, _ format: WeightFormat, with set: InstructionSet) -> Measurement {
        var memory: [WeightComponent: UnsafeMutableRawBufferPointer] = [:]
        defer { for bytes in memory.values { bytes.deallocate() } }
        for component in format.components where component != .shape && component != .globalScale {
            let shape = format.shape(of: component, rows: values.count / columns, columns: columns)
            let bytes = shape.reduce(format.type(of: component, source: .bf16).bits / 8, *)
            memory[component] = .allocate(byteCount: bytes, alignment: 64)
        }
        let components = memory.mapValues { UnsafeRawBufferPointer($0) }
        let rounded = values.map { Float(bitPattern: $0.bitPattern & 0xffff_0000) }
        var decoded = [Float](repeating: 0, count: values.count)
        return rounded.withUnsafeBufferPointer { rows in
            decoded.withUnsafeMutableBufferPointer { decoded in
                let globalScale =
                    format == .nvfp4
                    ? Kernels.globalScale(largest: Kernels.largestMagnitude(of: rows), source: .bf16) : nil
                let encode = rate {
                    Kernels.quantize(
                        format, source: .bf16, rows: rows, columns: columns, globalScale: globalScale, into: memory,
                        with: set)
                }
                let decode = rate {
                    Kernels.dequantize(
                        format, source: .bf16, components: components, columns: columns, globalScale: globalScale,
                        into: decoded, with: set)
                }
                return Measurement(name: name, set: set, plain: encode, weighted: nil, decode: decode)
            }
        }
    }
}
