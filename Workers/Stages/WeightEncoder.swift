import QuernFormats
import QuernJobs
import QuernKernels

/// The weights of a linear layer on their way into the tensors that they become.
struct WeightEncoder {
    /// What the weights are rounded by.
    struct Aid {
        var largest: ScanResult?
        var feedback: Feedback?
        /// A value for each column; nil where all matter alike.
        var importance: [Float]?
    }

    let weight: QuantizedWeight
    private let aid: Aid
    private let columns: Int
    private let globalScale: Float?
    /// A writer for each tensor that is wanted of them, with its place among the outputs of the span.
    private var writers: [WeightComponent: (output: Int, writer: PartWriter)] = [:]
    /// Summed row by row.
    private var error = EncodingError()

    /// - Throws: `.invalidInput` where a scale hangs on magnitudes that nobody has found.
    init(_ weight: QuantizedWeight, columns: Int, aid: Aid) throws {
        self.weight = weight
        self.columns = columns
        self.aid = aid
        globalScale = aid.largest.map { Kernels.globalScale(largest: $0.weights, source: weight.source) }
        guard (weight.format == .nvfp4) == (globalScale != nil) else {
            throw QuernError(.invalidInput, "\(weight.format) and the magnitudes found do not go together")
        }
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

    /// Rows that can only be encoded together, or had better be.
    var rowMultiple: Int { weight.rounding.searches ? Kernels.fittedRows : weight.format.rowMultiple }

    /// Encodes rows, appends them to all parts and adds up what was lost.
    /// - Parameter values: whole rows; a multiple of the format's `rowMultiple`, or the last of the matrix.
    mutating func encode(_ values: UnsafeBufferPointer<Float>, _ scratch: Scratch) throws {
        let step = weight.rounding.searches ? Kernels.fittedRows * columns : max(values.count, 1)
        for first in stride(from: 0, to: values.count, by: step) {
            try encodeRows(
                UnsafeBufferPointer(rebasing: values[first..<min(first + step, values.count)]), scratch)
        }
    }

    private mutating func encodeRows(_ values: UnsafeBufferPointer<Float>, _ scratch: Scratch) throws {
        let outputs = try weight.memory(rows: values.count / columns, columns: columns, scratch)
        if weight.rounding.searches {
            Kernels.fit(
                weight.format, source: weight.source, rows: values, columns: columns, globalScale: globalScale,
                importance: aid.importance, feedback: aid.feedback, into: outputs)
        } else {
            Kernels.quantize(
                weight.format, source: weight.source, rows: values, columns: columns, globalScale: globalScale,
                into: outputs)
        }
        let decoded = try scratch.decoded.floats(values.count)
        let made = outputs.mapValues { UnsafeRawBufferPointer($0) }
        Kernels.dequantize(
            weight.format, source: weight.source, components: made, columns: columns, globalScale: globalScale,
            into: decoded)
        error = Kernels.error(
            original: values, decoded: UnsafeBufferPointer(decoded), columns: columns, after: error)
        for (component, bytes) in made { try writers[component]?.writer.append(bytes) }
    }

    /// - Returns: the parts with their places among the outputs of the span; what was lost stands with the weights.
    func finish() throws -> [(output: Int, part: Part, writer: PartWriter)] {
        try writers.map { component, made in
            if !component.hasRows { try whole(component).withUnsafeBytes(made.writer.append) }
            let (digest, bytes) = try made.writer.finish()
            return (
                made.output,
                Part(
                    digest: digest, bytes: bytes, squaredError: component.holdsWeights ? error.squaredError.clamped : 0,
                    squaredNorm: component.holdsWeights ? error.squaredNorm.clamped : 0), made.writer
            )
        }
    }

    /// The bytes of a component that does not grow with the rows.
    private func whole(_ component: WeightComponent) -> [UInt8] {
        func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
            withUnsafeBytes(of: value.littleEndian, Array.init)
        }
        switch component {
        case .shape: return [weight.rows, columns].flatMap { littleEndian(Int64($0)) }
        case .globalScale: return littleEndian((globalScale ?? 1).bitPattern)
        case .inputGlobalScale:
            return littleEndian(Kernels.globalScale(largest: aid.largest?.input ?? 0, source: .f32).bitPattern)
        case .packed, .scale, .weight, .zeroPoint: return []
        }
    }
}

extension QuantizedWeight {
    /// Memory for what rows become: of every component that grows with them.
    func memory(
        rows: Int, columns: Int, _ scratch: Scratch
    ) throws -> [WeightComponent: UnsafeMutableRawBufferPointer] {
        let sizes = format.rowComponents.map {
            (component: $0, bytes: bytes(of: $0, rows: rows, columns: columns) ?? 0)
        }
        // One after the other, each where any type may stand.
        func aligned(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }
        let memory = try scratch.encoded.bytes(sizes.reduce(0) { $0 + aligned($1.bytes) })
        var outputs: [WeightComponent: UnsafeMutableRawBufferPointer] = [:]
        var offset = 0
        for (component, bytes) in sizes {
            outputs[component] = UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + bytes])
            offset += aligned(bytes)
        }
        return outputs
    }
}
