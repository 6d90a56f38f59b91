import QuernFormats

/// The weights of a linear layer as a quantized checkpoint has them: numbers, and what they are scaled and shifted by,
/// each at a place of its own. Whoever reads them sees rows of plain values.
public struct QuantizedMatrix: Sendable, Codable, Equatable {
    /// Where a component begins.
    public struct Part: Sendable, Codable, Equatable {
        public let component: WeightComponent
        /// Index into the files that go with the extent.
        public let file: Int
        public let offset: UInt64

        public init(_ component: WeightComponent, file: Int, offset: UInt64) {
            self.component = component
            self.file = file
            self.offset = offset
        }
    }

    /// The layer's name in the checkpoint, for messages.
    public let layer: String
    public let storage: WeightStorage
    /// Of scales that the format does not fix: F16, BF16 or F32.
    public let scaleType: SafetensorsType
    /// Whether a single scale stands for the whole matrix, where the format has one for each row.
    public let hasOneScale: Bool
    public let rows: Int
    public let columns: Int
    /// What the values, computed in single precision, are rounded to: F16, BF16, or F32 to keep them.
    public let valueType: SafetensorsType
    /// Of magnitudes of NF4; 0 elsewhere.
    public let offset: Float
    /// `readComponents` of the storage, in their order.
    public let parts: [Part]

    /// - Throws: `QuernError` `.invalidInput` for what no matrix can be.
    public init(
        layer: String, storage: WeightStorage, scaleType: SafetensorsType, hasOneScale: Bool = false, rows: Int,
        columns: Int, valueType: SafetensorsType = .f32, offset: Float = 0, parts: [Part]
    ) throws(QuernError) {
        self.layer = layer
        self.storage = storage
        self.scaleType = scaleType
        self.hasOneScale = hasOneScale
        self.rows = rows
        self.columns = columns
        self.valueType = valueType
        self.offset = offset
        self.parts = parts
        try check()
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            layer: try container.decode(String.self, forKey: .layer),
            storage: try container.decode(WeightStorage.self, forKey: .storage),
            scaleType: try container.decode(SafetensorsType.self, forKey: .scaleType),
            hasOneScale: try container.decode(Bool.self, forKey: .hasOneScale),
            rows: try container.decode(Int.self, forKey: .rows),
            columns: try container.decode(Int.self, forKey: .columns),
            valueType: try container.decode(SafetensorsType.self, forKey: .valueType),
            offset: try container.decode(Float.self, forKey: .offset),
            parts: try container.decode([Part].self, forKey: .parts))
    }

    private func check() throws(QuernError) {
        func fault(_ message: String) -> QuernError { QuernError(.invalidInput, message, at: layer) }
        let floats: [SafetensorsType] = [.f16, .bf16, .f32]
        guard floats.contains(scaleType), floats.contains(valueType) else {
            throw fault("scales of \(scaleType.rawValue) for values of \(valueType.rawValue)")
        }
        // In single precision, the widest of all that is computed with.
        guard rows > 0, columns > 0, let bytes = SafetensorsType.f32.bytes(shape: [rows, columns]), bytes <= .max / 2
        else { throw fault("a matrix of [\(rows), \(columns)]") }
        let numbers = storage.numbers
        if let group = numbers.group, numbers != .floatBlocks, columns % group != 0 {
            throw fault("\(columns) inputs are no whole groups of \(group)")
        }
        guard storage.layout == .compressedTensors || storage.fits(rows: rows, columns: columns) else {
            throw fault("[\(rows), \(columns)] are no whole groups")
        }
        guard !hasOneScale || (numbers.group == nil && !numbers.components.contains(.zeroPoint)) else {
            throw fault("a single scale where groups have their own")
        }
        guard parts.map(\.component) == storage.readComponents else {
            throw fault("other components than the storage's")
        }
    }

    /// Bytes of a row of values.
    public var rowBytes: Int { columns * valueType.bits / 8 }

    /// The shape of a component, or of the share of some rows in it.
    public func shape(of component: WeightComponent, rows: Int) -> [Int] {
        component == .scale && hasOneScale ? [1] : storage.shape(of: component, rows: rows, columns: columns)
    }

    /// Bytes of a component, or of the share of some rows in it.
    public func bytes(of component: WeightComponent, rows: Int) -> Int {
        let bytes = storage.type(of: component, source: scaleType).bytes(shape: shape(of: component, rows: rows))
        return bytes.map { Int(clamping: $0) } ?? 0
    }

    func mapFiles(_ index: (Int) -> Int) -> QuantizedMatrix {
        QuantizedMatrix(copying: self, parts: parts.map { Part($0.component, file: index($0.file), offset: $0.offset) })
    }

    private init(copying other: QuantizedMatrix, parts: [Part]) {
        (layer, storage, rows, columns) = (other.layer, other.storage, other.rows, other.columns)
        (scaleType, hasOneScale, valueType) = (other.scaleType, other.hasOneScale, other.valueType)
        offset = other.offset
        self.parts = parts
    }
}
