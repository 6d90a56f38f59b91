/// The numbers that stand for the weights [N outputs, K inputs] of a linear layer, how they are packed row by row, and how
/// far a scale reaches, as compressed-tensors stores them (https://github.com/vllm-project/compressed-tensors) unless it
/// is said otherwise. `WeightStorage` has the tensors that they become.
public enum WeightFormat: Sendable, Hashable {
    /// Integers packed into 32-bit words along K (`pack-quantized`).
    /// - bits: 4 or 8.
    /// - group: inputs that share a scale; nil for a whole row.
    /// - isSymmetric: otherwise each group has a zero point.
    case packed(bits: Int, group: Int?, isSymmetric: Bool)
    /// Bytes with a scale for each row (`int-quantized`).
    case integer
    /// FP8 E4M3 with a scale for each row (`float-quantized`).
    case float
    /// FP8 E4M3 with a scale for each block of 128 × 128 (`float-quantized`).
    case floatBlocks
    /// FP4 E2M1 with an FP8 E4M3 scale for each group of 16, and a divisor of these for the whole (`nvfp4-pack-quantized`).
    case nvfp4
    /// FP4 E2M1 with a power of two for each group of 32 (`mxfp4-pack-quantized`).
    case mxfp4
    /// bitsandbytes: codes of NF4 with the largest magnitude of each 64, in F32.
    case nf4
    /// bitsandbytes: bytes with the largest magnitude of each row, in F32.
    case absmax8

    public static let blockLength = 128

    /// Inputs that share a scale within a row; nil for a whole row.
    public var group: Int? {
        switch self {
        case .packed(_, let group, _): group
        case .integer, .float, .absmax8: nil
        case .floatBlocks: Self.blockLength
        case .nvfp4: 16
        case .mxfp4: 32
        case .nf4: 64
        }
    }

    /// The tensors that weights become, in the order of their names.
    public var components: [WeightComponent] {
        switch self {
        case .packed(_, _, let isSymmetric):
            isSymmetric ? [.packed, .scale, .shape] : [.packed, .scale, .shape, .zeroPoint]
        case .integer, .float, .floatBlocks, .absmax8: [.weight, .scale]
        case .nvfp4: [.globalScale, .packed, .scale]
        case .mxfp4, .nf4: [.packed, .scale]
        }
    }

    /// The components that grow with the number of rows.
    public var rowComponents: [WeightComponent] { components.filter(\.hasRows) }

    /// Rows that can only be encoded together: a span of rows is a multiple of these, or the last.
    public var rowMultiple: Int {
        switch self {
        case .packed(let bits, _, false): 32 / bits
        case .floatBlocks: Self.blockLength
        default: 1
        }
    }

    /// Rows of the matrix that share a row of a component.
    public func rowsPerRow(of component: WeightComponent) -> Int {
        switch (component, self) {
        case (.zeroPoint, _), (.scale, .floatBlocks): rowMultiple
        default: 1
        }
    }

    /// The type of a component.
    /// - Parameter source: of the weights: scales of integers and FP8 are of the same type.
    public func type(of component: WeightComponent, source: SafetensorsType) -> SafetensorsType {
        switch (component, self) {
        case (.shape, _): .i64
        case (.globalScale, _), (.inputGlobalScale, _): .f32
        case (.packed, .packed), (.zeroPoint, _): .i32
        case (.packed, _): .u8
        case (.weight, .integer), (.weight, .absmax8): .i8
        case (.weight, _): .f8_E4M3
        case (.scale, .nvfp4): .f8_E4M3
        case (.scale, .mxfp4): .u8
        case (.scale, .nf4), (.scale, .absmax8): .f32
        case (.scale, _): source
        default: preconditionFailure("\(self) has no \(component)")
        }
    }

    /// The shape of a component, outermost dimension first.
    /// - Parameters:
    ///   - rows: outputs; of a span, for its share of the component.
    ///   - columns: inputs, a multiple of `group` except for `floatBlocks`.
    public func shape(of component: WeightComponent, rows: Int, columns: Int) -> [Int] {
        func divided(_ count: Int, _ by: Int) -> Int { (count + by - 1) / by }
        let groups = group.map { divided(columns, $0) } ?? 1
        switch (component, self) {
        case (.shape, _): return [2]
        case (.globalScale, _), (.inputGlobalScale, _): return [1]
        case (.packed, .packed(let bits, _, _)): return [rows, divided(columns * bits, 32)]
        case (.packed, _): return [rows, divided(columns, 2)]
        case (.zeroPoint, .packed(let bits, _, _)): return [divided(rows * bits, 32), groups]
        case (.weight, _): return [rows, columns]
        case (.scale, .floatBlocks): return [divided(rows, Self.blockLength), groups]
        case (.scale, _), (.zeroPoint, _): return [rows, groups]
        default: preconditionFailure("\(self) has no \(component)")
        }
    }
}
