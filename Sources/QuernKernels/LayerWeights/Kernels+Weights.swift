import CQuernKernels
import QuernFormats

extension Kernels {
    /// Rounds weights to the nearest numbers of a format.
    ///
    /// The bytes are those of llm-compressor's `model_free_ptq` (0.14, compressed-tensors 0.19, on a CPU), and of
    /// bitsandbytes (0.50) for its numbers, on every instruction set: minima, maxima, scales and quotients are rounded to the type that the weights came in, halves
    /// go to even, a scale that would be zero is the type's epsilon. Calls keep no state.
    /// - Parameters:
    ///   - source: the type of the weights: F16, BF16 or F32.
    ///   - rows: [n, columns] finite values that are exactly numbers of `source`; n is a multiple of
    ///     `format.rowMultiple`, or these are the last rows of the tensor.
    ///   - columns: at least 1, a multiple of `format.group` except for `floatBlocks`. Groups of four-bit integers are
    ///     even.
    ///   - globalScale: of `nvfp4`, see `globalScale(largest:source:)`; nil otherwise.
    ///   - outputs: for each of `format.components` except `shape` and `globalScale` as many bytes as its shape for n
    ///     rows has, with any alignment.
    public static func quantize(
        _ format: WeightFormat, source: SafetensorsType, rows: UnsafeBufferPointer<Float>, columns: Int,
        globalScale: Float? = nil, into outputs: [WeightComponent: UnsafeMutableRawBufferPointer],
        with set: InstructionSet = .best
    ) {
        let layout = quern_weight_layout(format, source: source, columns: columns, globalScale: globalScale)
        precondition(rows.count % columns == 0, "whole rows only")
        let count = rows.count / columns
        let parts = quern_weight_parts(format, source: source, rows: count, columns: columns) { outputs[$0] }
        guard let values = rows.baseAddress, count > 0 else { return }
        let done = withUnsafePointer(to: layout) { layout in
            withUnsafePointer(to: parts) { quern_quantize(set.rawValue, layout, values, count, columns, $0) }
        }
        precondition(done, "no kernel for \(format) with \(set)")
    }

    /// The values that a loader computes from quantized weights, in single precision: (q − zero point) · scale, for
    /// `nvfp4` q · (scale / globalScale).
    /// - Parameters:
    ///   - components: as `quantize` writes them.
    ///   - values: receives [n, columns] values.
    public static func dequantize(
        _ format: WeightFormat, source: SafetensorsType, components: [WeightComponent: UnsafeRawBufferPointer],
        columns: Int, globalScale: Float? = nil, into values: UnsafeMutableBufferPointer<Float>,
        with set: InstructionSet = .best
    ) {
        let layout = quern_weight_layout(format, source: source, columns: columns, globalScale: globalScale)
        precondition(values.count % columns == 0, "whole rows only")
        let count = values.count / columns
        let parts = quern_weight_parts(format, source: source, rows: count, columns: columns) {
            components[$0].map { UnsafeMutableRawBufferPointer(mutating: $0) }
        }
        guard let target = values.baseAddress, count > 0 else { return }
        let done = withUnsafePointer(to: layout) { layout in
            withUnsafePointer(to: parts) { quern_dequantize(set.rawValue, layout, $0, count, columns, target) }
        }
        precondition(done, "no kernel for \(format) with \(set)")
    }

    /// The largest absolute value of finite values, zero of none.
    public static func largestMagnitude(
        of values: UnsafeBufferPointer<Float>, with set: InstructionSet = .best
    ) -> Float {
        guard let base = values.baseAddress else { return 0 }
        return quern_largest_magnitude(set.rawValue, base, values.count)
    }

    /// The global scale of `nvfp4`, by which the scales of groups are multiplied where they are stored: it makes the
    /// largest of them 448.
    ///
    /// It is (1 / largest) · 2688 with both steps rounded to `source`, and 1 where that is beyond single precision.
    /// What is beyond half precision (largest < 0.041) is computed in single precision; llm-compressor stores 1 there
    /// and so gives scales away.
    /// - Parameters:
    ///   - largest: the largest absolute weight of all matrices that share the scale, a number of `source`.
    ///   - source: the type of the weights: F16, BF16 or F32.
    public static func globalScale(largest: Float, source: SafetensorsType) -> Float {
        func scale(_ rounded: (Float) -> Float) -> Float { rounded(rounded(1 / largest) * 2688) }
        let inSource = scale { source.nearest(to: $0) }
        if inSource.isFinite { return inSource }
        let single = scale { $0 }
        return source == .f16 && single.isFinite ? single : 1
    }
}

extension SafetensorsType {
    /// Rounded to this type, F16, BF16 or F32.
    func nearest(to value: Float) -> Float {
        switch self {
        case .f16: value.roundedToHalf
        case .bf16: Float(bitPattern: UInt32(value.brainFloatBits) << 16)
        default: value
        }
    }
}

extension quern_weight_layout {
    init(_ format: WeightFormat, source: SafetensorsType, columns: Int, globalScale: Float?) {
        self.init()
        precondition(
            columns > 0 && columns % (format == .floatBlocks ? 1 : format.group ?? 1) == 0, "whole groups only")
        precondition((globalScale != nil) == (format == .nvfp4), "NVFP4 and nothing else has a global scale")
        let types: [SafetensorsType: quern_type] = [
            .f16: quern_type_f16, .bf16: quern_type_bf16, .f32: quern_type_f32,
        ]
        guard let type = types[source] else { preconditionFailure("weights are F16, BF16 or F32, not \(source)") }
        self.source = type.rawValue
        group = format.group ?? 0
        block_rows = format == .floatBlocks ? WeightFormat.blockLength : 1
        global_scale = globalScale ?? 1
        switch format {
        case .packed(let bits, let group, let isSymmetric):
            precondition(bits == 4 || bits == 8, "integers have 4 or 8 bits")
            precondition(group.map { $0 > 0 && $0 * bits % 8 == 0 } ?? true, "a group is a whole number of bytes")
            numbers = (bits == 4 ? quern_weight_packed4 : quern_weight_packed8).rawValue
            has_zero_points = !isSymmetric
        case .integer: numbers = quern_weight_int8.rawValue
        case .float, .floatBlocks: numbers = quern_weight_e4m3.rawValue
        case .nvfp4: numbers = quern_weight_nvfp4.rawValue
        case .mxfp4: numbers = quern_weight_mxfp4.rawValue
        case .nf4: numbers = quern_weight_nf4.rawValue
        case .absmax8: numbers = quern_weight_absmax8.rawValue
        }
    }
}

extension quern_weight_parts {
    /// - Parameter memory: of a component; nil where there is none.
    init(
        _ format: WeightFormat, source: SafetensorsType, rows: Int, columns: Int,
        memory: (WeightComponent) -> UnsafeMutableRawBufferPointer?
    ) {
        self.init()
        for component in format.rowComponents {
            let shape = format.shape(of: component, rows: rows, columns: columns)
            let bytes = format.type(of: component, source: source).bytes(shape: shape)
            guard let memory = memory(component), bytes.map(Int.init(exactly:)) == memory.count else {
                preconditionFailure("\(component) has another size than \(shape)")
            }
            let base = memory.baseAddress?.assumingMemoryBound(to: UInt8.self)
            switch component {
            case .scale: scale = base
            case .zeroPoint: zero_point = base
            default: weight = base
            }
        }
    }
}
