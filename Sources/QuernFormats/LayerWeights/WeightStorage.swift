/// How a linear layer's weights [N outputs, K inputs] are stored: as which numbers, and in which tensors these lie.
public struct WeightStorage: Sendable, Hashable, Codable {
    /// Who made up the tensors; raw values are what `quant_method` of a config.json says.
    public enum Layout: String, Sendable, Hashable, Codable, CaseIterable {
        case compressedTensors = "compressed-tensors"
        /// Integers of 4 bits with zero points, packed along N in the order 0 2 4 6 1 3 5 7 (AutoAWQ's `gemm`).
        case awq
        /// Symmetric integers packed along K; zero points, all the same, are stored less one (version 1).
        case gptq
        /// `weight` in rows; magnitudes of NF4 are themselves bytes under a scale for each 256 (double quantization).
        case bitsandbytes
    }

    public let numbers: WeightFormat
    public let layout: Layout

    public init(_ numbers: WeightFormat, layout: Layout = .compressedTensors) {
        self.numbers = numbers
        self.layout = layout
    }

    /// - Throws: `DecodingError` for numbers that the layout does not have.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        numbers = try container.decode(WeightFormat.self, forKey: .numbers)
        layout = try container.decode(Layout.self, forKey: .layout)
        let isKnown =
            switch (numbers, layout) {
            case (.packed(let bits, _, let isSymmetric), .awq): bits == 4 && !isSymmetric
            case (.packed(_, _, let isSymmetric), .gptq): isSymmetric
            case (.nf4, _), (.absmax8, _): layout == .bitsandbytes
            default: layout == .compressedTensors
            }
        guard isKnown else {
            throw DecodingError.dataCorruptedError(
                forKey: .numbers, in: container, debugDescription: "no such numbers in \(layout.rawValue)")
        }
    }

    /// Rows that spans of all tensors are multiples of, but for the last: `rowMultiple` of every storage divides it.
    public static let spanRows = 256
    /// Magnitudes of NF4 that share a scale.
    public static let nestedGroup = 256
    /// Bytes of bitsandbytes' description of a layer, filled up with spaces: how long it is must be known before what it
    /// says.
    public static let stateBytes = 256

    /// The tensors that weights become, in the order of their names.
    public var components: [WeightComponent] {
        switch layout {
        case .compressedTensors: numbers.components
        case .awq: [.transposedWeight, .transposedZeroPoint, .transposedScale]
        case .gptq: [.groupIndex, .transposedWeight, .transposedZeroPoint, .transposedScale]
        case .bitsandbytes:
            numbers == .nf4
                ? [.weight, .magnitude, .magnitudeOfMagnitudes, .magnitudeCodes, .codes, .state]
                : [.rowMagnitude, .weight, .weightFormat]
        }
    }

    /// The tensors whose bytes values are computed from; what the others say is the same for all layers, or follows from
    /// their shape, or is read once for all.
    public var readComponents: [WeightComponent] {
        switch layout {
        case .compressedTensors: components
        case .awq, .bitsandbytes: components.filter(\.hasRows)
        case .gptq: [.transposedWeight, .transposedScale]
        }
    }

    /// Whether rows of the matrix are columns of its tensors.
    public var isTransposed: Bool { layout == .awq || layout == .gptq }

    /// The type that weights are brought to before they are rounded to nearest; nil for their own.
    public var valueType: SafetensorsType? {
        switch layout {
        case .compressedTensors: nil
        case .awq, .gptq: .f16
        case .bitsandbytes: numbers == .absmax8 ? .f16 : nil
        }
    }

    /// The type in which scales are computed and stored, where numbers do not fix it.
    /// - Parameter source: of the weights.
    public func scaleType(source: SafetensorsType) -> SafetensorsType {
        isTransposed ? .f16 : source
    }

    /// Rows that can only be encoded together: a span of rows is a multiple of these, or the last.
    /// - Parameter columns: inputs.
    public func rowMultiple(columns: Int) -> Int {
        switch layout {
        case .compressedTensors: return numbers.rowMultiple
        case .awq, .gptq: return perWord
        case .bitsandbytes:
            guard numbers == .nf4 else { return 1 }
            // As many as have whole groups of magnitudes.
            let perRow = columns / (numbers.group ?? columns)
            return Self.nestedGroup >> min(perRow.trailingZeroBitCount, Self.nestedGroup.trailingZeroBitCount)
        }
    }

    /// Whether a matrix can be stored so.
    public func fits(rows: Int, columns: Int) -> Bool {
        switch (numbers, layout) {
        case (.floatBlocks, _): true
        // Rows are whole words.
        case (.packed(let bits, let group, _), .compressedTensors): columns % (group ?? 32 / bits) == 0
        case (.packed(_, let group, _), _):
            columns % (group ?? perWord) == 0 && columns % perWord == 0 && rows % perWord == 0
        default: columns % (numbers.group ?? 1) == 0
        }
    }

    /// Integers to a word of 32 bits.
    public var perWord: Int { if case .packed(let bits, _, _) = numbers { 32 / bits } else { 1 } }

    /// The type of a component.
    /// - Parameter source: of the weights.
    public func type(of component: WeightComponent, source: SafetensorsType) -> SafetensorsType {
        switch (component, layout) {
        case (.groupIndex, _), (.transposedWeight, _), (.transposedZeroPoint, _): .i32
        case (.transposedScale, _): .f16
        case (.magnitude, _), (.state, _), (.weightFormat, _): .u8
        case (.magnitudeOfMagnitudes, _), (.magnitudeCodes, _), (.codes, _), (.rowMagnitude, _): .f32
        case (.weight, .bitsandbytes): numbers == .nf4 ? .u8 : .i8
        default: numbers.type(of: component, source: source)
        }
    }

    /// The shape of a component, outermost dimension first.
    /// - Parameters:
    ///   - rows: outputs; of a span, for its share of the component.
    ///   - columns: inputs, such that the storage fits.
    public func shape(of component: WeightComponent, rows: Int, columns: Int) -> [Int] {
        let groups = columns / (numbers.group ?? columns)
        return switch (component, layout) {
        case (.groupIndex, _): [columns]
        case (.transposedWeight, .awq): [columns, rows / perWord]
        case (.transposedWeight, _): [columns / perWord, rows]
        case (.transposedZeroPoint, _): [groups, rows / perWord]
        case (.transposedScale, _): [groups, rows]
        case (.weight, .bitsandbytes) where numbers == .nf4: [rows * columns / 2, 1]
        case (.magnitude, _): [rows * groups]
        case (.magnitudeOfMagnitudes, _): [(rows * groups + Self.nestedGroup - 1) / Self.nestedGroup]
        case (.magnitudeCodes, _): [256]
        case (.codes, _): [16]
        case (.state, _): [Self.stateBytes]
        case (.rowMagnitude, _): [rows]
        case (.weightFormat, _): []
        default: numbers.shape(of: component, rows: rows, columns: columns)
        }
    }

    /// Outputs and inputs, where the shape of the tensor that holds the weights tells both; nil where it does not.
    /// - Parameter shape: two dimensions, far below overflow.
    public func size(ofWeights shape: [Int]) -> (rows: Int, columns: Int)? {
        switch (layout, numbers) {
        case (.awq, _): (shape[1] * perWord, shape[0])
        case (.gptq, _): (shape[1], shape[0] * perWord)
        case (_, .nvfp4), (_, .mxfp4): (shape[0], shape[1] * 2)
        case (_, .integer), (_, .float), (_, .floatBlocks), (_, .absmax8): (shape[0], shape[1])
        case (_, .packed), (_, .nf4): nil
        }
    }

    /// The component that holds the weights themselves.
    public var weights: WeightComponent { components.first(where: \.holdsWeights) ?? .weight }

    /// Bytes of a component, or of the share of some rows in it; nil where they are too many, or there is no such matrix.
    public func bytes(of component: WeightComponent, rows: Int, columns: Int, source: SafetensorsType) -> Int? {
        guard rows >= 0, columns >= 1, !rows.multipliedReportingOverflow(by: columns).overflow else { return nil }
        let shape = shape(of: component, rows: rows, columns: columns)
        return type(of: component, source: source).bytes(shape: shape).flatMap(Int.init(exactly:))
    }
}
