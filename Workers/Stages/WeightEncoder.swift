import QuernFormats
import QuernJobs
import QuernKernels

/// The weights of a linear layer on their way into the tensors that they become.
struct WeightEncoder {
    let weight: QuantizedWeight
    private let columns: Int
    /// A writer for each tensor that is wanted of them, with its place among the outputs of the span.
    private var writers: [WeightComponent: (output: Int, writer: PartWriter)] = [:]
    /// Summed row by row.
    private var error = EncodingError()

    init(_ weight: QuantizedWeight, columns: Int) {
        self.weight = weight
        self.columns = columns
    }

    /// - Throws: `.unsupported` where the span holds other numbers than the scales are made of.
    mutating func add(_ component: WeightComponent, output: Int, _ writer: PartWriter, of span: Span) throws {
        guard weight.source.elementType == span.sourceType else {
            throw QuernError(
                .unsupported, "cannot make weights of \(weight.source.rawValue) from \(span.sourceType)",
                at: span.tensor)
        }
        writers[component] = (output, writer)
    }

    /// Encodes rows, appends them to all parts and adds up what was lost.
    /// - Parameter values: whole rows; a multiple of the format's `rowMultiple`, or the last of the matrix.
    mutating func encode(_ values: UnsafeBufferPointer<Float>, _ scratch: Scratch) throws {
        let rows = values.count / columns
        let sizes = weight.format.rowComponents.map {
            (component: $0, bytes: weight.bytes(of: $0, rows: rows, columns: columns) ?? 0)
        }
        // One after the other, each where any type may stand.
        let memory = try scratch.encoded.bytes(sizes.reduce(0) { $0 + Self.aligned($1.bytes) })
        var outputs: [WeightComponent: UnsafeMutableRawBufferPointer] = [:]
        var offset = 0
        for (component, bytes) in sizes {
            outputs[component] = UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + bytes])
            offset += Self.aligned(bytes)
        }
        Kernels.quantize(
            weight.format, source: weight.source, rows: values, columns: columns, globalScale: nil, into: outputs)
        let decoded = try scratch.decoded.floats(values.count)
        let made = outputs.mapValues { UnsafeRawBufferPointer($0) }
        Kernels.dequantize(
            weight.format, source: weight.source, components: made, columns: columns, globalScale: nil, into: decoded)
        error = Kernels.error(
            original: values, decoded: UnsafeBufferPointer(decoded), columns: columns, after: error)
        for (component, bytes) in made { try writers[component]?.writer.append(bytes) }
    }

    private static func aligned(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }

    /// - Returns: the parts with their places among the outputs of the span; what was lost stands with the weights.
    func finish() throws -> [(output: Int, part: Part, writer: PartWriter)] {
        try writers.map { component, made in
            if component == .shape {
                let shape = [weight.rows, columns].flatMap {
                    withUnsafeBytes(of: Int64($0).littleEndian, Array.init)
                }
                try shape.withUnsafeBytes(made.writer.append)
            }
            let (digest, bytes) = try made.writer.finish()
            return (
                made.output,
                Part(
                    digest: digest, bytes: bytes, squaredError: component.holdsWeights ? error.squaredError.clamped : 0,
                    squaredNorm: component.holdsWeights ? error.squaredNorm.clamped : 0), made.writer
            )
        }
    }
}
