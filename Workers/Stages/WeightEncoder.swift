import QuernFormats
import QuernJobs
import QuernKernels

/// The weights of a linear layer on their way into the tensors that they become.
struct WeightEncoder {
    /// What the weights are rounded by.
    struct Aid {
        var magnitudes: ScanResult?
        var feedback: Feedback?
        /// A value for each column; nil where all matter alike.
        var importance: [Float]?
    }

    let weight: QuantizedWeight
    private let engine: any WeightEngine
    private let rounding: WeightRounding
    private let magnitudes: ScanResult?
    private let columns: Int
    private var stored: StoredRows
    /// A writer for each tensor that is wanted of them, with its place among the outputs of the span.
    private var writers: [WeightComponent: (output: Int, writer: PartWriter)] = [:]
    /// Summed row by row.
    private var error = EncodingError()

    /// - Throws: `.invalidInput` where a scale hangs on magnitudes that nobody has found, and for what no plan asks for.
    init(_ weight: QuantizedWeight, columns: Int, aid: Aid, on engine: any WeightEngine = ProcessorEngine()) throws {
        self.weight = weight
        self.columns = columns
        self.engine = engine
        magnitudes = aid.magnitudes
        let numbers = weight.storage.numbers
        guard weight.storage.fits(rows: weight.rows, columns: columns),
            !weight.rounding.searches || weight.storage.layout != .bitsandbytes
        else {
            throw QuernError(.invalidInput, "\(weight.rows) × \(columns) weights cannot be stored as \(weight.storage)")
        }
        guard (numbers == .nvfp4 || numbers == .nf4) == (aid.magnitudes != nil),
            (numbers == .nf4) == (aid.magnitudes?.groupMean != nil)
        else {
            throw QuernError(.invalidInput, "\(numbers) and the magnitudes found do not go together")
        }
        rounding = WeightRounding(
            numbers, source: weight.scaleType, columns: columns,
            globalScale: numbers == .nvfp4
                ? aid.magnitudes.map { Kernels.globalScale(largest: $0.weights, source: weight.source) } : nil,
            search: weight.rounding.searches
                ? WeightRounding.Search(importance: aid.importance, feedback: aid.feedback) : nil)
        stored = StoredRows(weight.storage, columns: columns, offset: aid.magnitudes?.groupMean ?? 0)
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
    var rowMultiple: Int {
        weight.rounding.searches ? Kernels.fittedRows : weight.storage.rowMultiple(columns: columns)
    }

    /// Encodes rows, appends them to all parts and adds up what was lost.
    /// - Parameter values: whole rows; a multiple of the format's `rowMultiple`, or the last of the matrix.
    mutating func encode(_ values: UnsafeBufferPointer<Float>, _ scratch: Scratch) throws {
        let outputs = try weight.memory(rows: values.count / columns, columns: columns, scratch)
        try engine.round(
            brought(values, scratch), by: rounding, original: values, into: outputs, error: &error, scratch)
        if weight.scaleType == .f16 && !error.squaredError.isFinite { throw Self.beyondHalfPrecision }
        try stored.add(outputs, rows: values.count / columns) { [writers] in try writers[$0]?.writer.append($1) }
    }

    /// What loaders make of rows in a storage that keeps numbers as they are.
    /// - Parameter values: as for `encode`; where scales are searched, at most `Kernels.fittedRows` rows.
    func rounded(
        _ values: UnsafeBufferPointer<Float>, _ scratch: Scratch
    ) throws -> UnsafeMutableBufferPointer<Float> {
        let outputs = try weight.memory(rows: values.count / columns, columns: columns, scratch)
        try ProcessorEngine.numbers(of: brought(values, scratch), by: rounding, into: outputs, scratch)
        let decoded = try ProcessorEngine.values(of: outputs, by: rounding, count: values.count, scratch)
        if weight.scaleType == .f16 { try checkFinite(decoded) }
        return decoded
    }

    /// Values in the type that they are rounded to nearest from. Searches take them as they are.
    private func brought(
        _ values: UnsafeBufferPointer<Float>, _ scratch: Scratch
    ) throws -> UnsafeBufferPointer<Float> {
        guard rounding.search == nil, let type = weight.storage.valueType?.elementType,
            type != weight.source.elementType
        else { return values }
        // Not needed otherwise until the numbers are there.
        let (memory, result) = (try scratch.source.bytes(2 * values.count), try scratch.decoded.floats(values.count))
        Kernels.encode(type, rows: values, columns: columns, importance: nil, into: memory)
        Kernels.decode(type, bytes: UnsafeRawBufferPointer(memory), into: result)
        try checkFinite(result)
        return UnsafeBufferPointer(result)
    }

    /// Weights and scales in half precision have a range.
    private func checkFinite(_ values: UnsafeMutableBufferPointer<Float>) throws {
        guard Kernels.firstNonFinite(in: UnsafeBufferPointer(values)) == nil else { throw Self.beyondHalfPrecision }
    }

    private static let beyondHalfPrecision = QuernError(
        .invalidInput, "it has weights beyond half precision, which they or their scales would be stored in",
        remedy: "Ignore the layer, or take a scheme with other scales")

    /// - Returns: the parts with their places among the outputs of the span; what was lost stands with the weights.
    mutating func finish() throws -> [(output: Int, part: Part, writer: PartWriter)] {
        try stored.finish { [writers] in try writers[$0]?.writer.append($1) }
        return try writers.map { component, made in
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
        case .globalScale: return littleEndian((rounding.globalScale ?? 1).bitPattern)
        case .inputGlobalScale:
            return littleEndian(Kernels.globalScale(largest: magnitudes?.input ?? 0, source: .f32).bitPattern)
        case .state: return weight.state(columns: columns, offset: stored.offset)
        default: return weight.storage.constant(component, columns: columns) ?? []
        }
    }
}

extension QuantizedWeight {
    /// What bitsandbytes wants to know of a layer in NF4: JSON, filled up with spaces.
    fileprivate func state(columns: Int, offset: Float) -> [UInt8] {
        let type = [SafetensorsType.f16: "float16", .bf16: "bfloat16"][source] ?? "float32"
        let text =
            "{\"quant_type\": \"nf4\", \"blocksize\": \(storage.numbers.group ?? 64), \"dtype\": \"\(type)\", "
            + "\"shape\": [\(rows), \(columns)], \"nested_blocksize\": \(WeightStorage.nestedGroup), "
            + "\"nested_dtype\": \"float32\", \"nested_offset\": \(Double(offset))}"
        return Array(text.utf8)
            + [UInt8](repeating: UInt8(ascii: " "), count: WeightStorage.stateBytes - text.utf8.count)
    }

    /// Memory for the numbers that rows become.
    func memory(
        rows: Int, columns: Int, _ scratch: Scratch
    ) throws -> [WeightComponent: UnsafeMutableRawBufferPointer] {
        let numbers = WeightStorage(storage.numbers)
        let sizes = storage.numbers.rowComponents.map {
            (component: $0, bytes: numbers.bytes(of: $0, rows: rows, columns: columns, source: scaleType) ?? 0)
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
