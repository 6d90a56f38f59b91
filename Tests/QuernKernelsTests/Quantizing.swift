import QuernFormats
import QuernKernels

/// What rounds weights: the kernels of one instruction set, or the plain Swift reference.
extension Encoder {
    func quantize(
        _ format: WeightFormat, source: SafetensorsType, rows: [Float], columns: Int, globalScale: Float?
    ) -> [WeightComponent: [UInt8]] {
        guard case .lanes(let set) = self else {
            return ReferenceWeights.quantize(
                format, source: source, rows: rows, columns: columns, globalScale: globalScale)
        }
        return Self.components(of: format, source: source, rows: rows.count / columns, columns: columns) { outputs in
            rows.withUnsafeBufferPointer {
                Kernels.quantize(
                    format, source: source, rows: $0, columns: columns, globalScale: globalScale, into: outputs,
                    with: set)
            }
        }
    }

    func fit(
        _ format: WeightFormat, source: SafetensorsType, rows: [Float], columns: Int, globalScale: Float?,
        importance: [Float]?, feedback: Feedback?
    ) -> [WeightComponent: [UInt8]] {
        guard case .lanes(let set) = self else {
            return ReferenceFit.fit(
                format, source: source, rows: rows, columns: columns, globalScale: globalScale, importance: importance,
                feedback: feedback)
        }
        return Self.components(of: format, source: source, rows: rows.count / columns, columns: columns) { outputs in
            let room = Kernels.fittingScratch(
                format, source: source, columns: columns, globalScale: globalScale)
            rows.withUnsafeBufferPointer { rows in
                withUnsafeTemporaryAllocation(of: Float.self, capacity: room) {
                    Kernels.fit(
                        format, source: source, rows: rows, columns: columns, globalScale: globalScale,
                        importance: importance, feedback: feedback, scratch: $0, into: outputs, with: set)
                }
            }
        }
    }

    /// What `body` writes into the memory of components.
    private static func components(
        of format: WeightFormat, source: SafetensorsType, rows: Int, columns: Int,
        _ body: ([WeightComponent: UnsafeMutableRawBufferPointer]) -> Void
    ) -> [WeightComponent: [UInt8]] {
        let memory = format.rowComponents.map { component in
            let shape = format.shape(of: component, rows: rows, columns: columns)
            let size = shape.reduce(format.type(of: component, source: source).bits / 8, *)
            // What was there before shall not show.
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
            bytes.initializeMemory(as: UInt8.self, repeating: 0xa5)
            return (component, bytes)
        }
        defer { for (_, bytes) in memory { bytes.deallocate() } }
        let outputs = Dictionary(uniqueKeysWithValues: memory)
        body(outputs)
        return outputs.mapValues { [UInt8]($0) }
    }

    func dequantize(
        _ format: WeightFormat, source: SafetensorsType, components: [WeightComponent: [UInt8]], rows: Int,
        columns: Int, globalScale: Float?
    ) -> [Float] {
        guard case .lanes(let set) = self else {
            return ReferenceWeights.dequantize(
                format, source: source, components: components, rows: rows, columns: columns, globalScale: globalScale)
        }
        let memory = components.mapValues { bytes in
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
            copy.copyBytes(from: bytes)
            return copy
        }
        defer { for bytes in memory.values { bytes.deallocate() } }
        return [Float](unsafeUninitializedCapacity: rows * columns) { values, initialized in
            Kernels.dequantize(
                format, source: source, components: memory.mapValues { UnsafeRawBufferPointer($0) }, columns: columns,
                globalScale: globalScale, into: UnsafeMutableBufferPointer(rebasing: values[..<(rows * columns)]),
                with: set)
            initialized = rows * columns
        }
    }
}

/// Bits in which NaN are alike.
func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? Float.nan.bitPattern : $0.bitPattern } }

/// Where components first differ, in words; nil where they do not.
func firstDifference(_ a: [WeightComponent: [UInt8]], _ b: [WeightComponent: [UInt8]]) -> String? {
    for component in WeightComponent.allCases where a[component] != b[component] {
        guard let a = a[component], let b = b[component], a.count == b.count else {
            return "\(component): \(a[component]?.count ?? 0) and \(b[component]?.count ?? 0) bytes"
        }
        let byte = a.indices.first { a[$0] != b[$0] } ?? 0
        return "\(component), byte \(byte): \(a[byte]) and \(b[byte])"
    }
    return nil
}
