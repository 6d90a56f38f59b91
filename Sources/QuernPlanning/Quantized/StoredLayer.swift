import QuernFormats
import QuernStore

/// What a checkpoint holds of one linear layer's weights.
struct StoredLayer {
    /// A tensor that weights are stored in.
    enum Component: Hashable {
        case weight(WeightComponent)
        /// The order of inputs in groups that are not neighbours.
        case order

        init?(name: String) {
            switch name {
            // DeepSeek's name of what is multiplied all the same.
            case "weight_scale_inv": self = .weight(.scale)
            case "weight_g_idx": self = .order
            default:
                guard let component = WeightComponent(rawValue: name) else { return nil }
                self = .weight(component)
            }
        }

        var holdsWeights: Bool { if case .weight(let component) = self { component.holdsWeights } else { false } }
    }

    /// What a dimension may be, so that products with the size of a group do not overflow.
    private static let sizes = 1...(1 << 30)

    let name: String
    private var parts: [Component: (tensor: SafetensorsTensor, shard: Int)] = [:]

    init(name: String) { self.name = name }

    mutating func add(_ tensor: SafetensorsTensor, _ component: Component, in shard: Int) {
        parts[component] = (tensor, shard)
    }

    var hasWeights: Bool { parts.keys.contains(where: \.holdsWeights) }

    /// Whether there is more than plain numbers.
    var isQuantized: Bool {
        guard parts.count == 1, let weight = parts[.weight(.weight)] else { return true }
        return [.f8_E4M3, .i8].contains(weight.tensor.type)
    }

    /// One tensor of plain values for all of them.
    /// - Parameters:
    ///   - layout: how it is stored; nil where config.json does not say so.
    ///   - values: the type of the values.
    func tensor(
        _ layout: StoredQuantization.Layout?, values: SafetensorsType, in checkpoint: Checkpoint
    ) throws -> StoredTensor {
        guard let any = parts.values.min(by: { $0.tensor.name < $1.tensor.name }) else {
            throw QuernError(.internalFault, "a layer without tensors", at: name)
        }
        guard let layout else {
            throw fault(.invalidInput, "config.json does not say how this layer is quantized", any, checkpoint)
        }
        let weights = parts.filter(\.key.holdsWeights).map(\.value)
        if let one = weights.max(by: { $0.tensor.name < $1.tensor.name }), weights.count > 1 {
            throw fault(.invalidInput, "the layer has other weights as well", one, checkpoint)
        }
        if let order = parts[.order] {
            throw fault(.unsupported, "groups of inputs that are not neighbours cannot be read", order, checkpoint)
        }
        let storage = layout.storage
        let found = try storage.components.map { component in
            guard let part = parts[.weight(component)] else {
                let missing = "\(name).\(component.rawValue)".quotedForMessage
                throw fault(.invalidInput, "it belongs to \(missing), which the checkpoint lacks", any, checkpoint)
            }
            return (component: component, tensor: part.tensor, shard: part.shard)
        }
        let (rows, columns, offset) = try size(storage, in: checkpoint)
        let scale = parts[.weight(.scale)]?.tensor.type ?? .f32
        let numbers = storage.numbers
        let isFixed = numbers.type(of: .scale, source: .f32) == numbers.type(of: .scale, source: .bf16)
        let matrix: QuantizedMatrix
        do {
            matrix = try QuantizedMatrix(
                layer: name, storage: storage, scaleType: isFixed ? .f32 : storage.scaleType(source: scale),
                hasOneScale: layout.hasOneScale, rows: rows, columns: columns, valueType: values, offset: offset,
                parts: found.filter { storage.readComponents.contains($0.component) }.map {
                    QuantizedMatrix.Part($0.component, file: $0.shard, offset: $0.tensor.offset)
                })
        } catch {
            throw fault(.invalidInput, error.message, any, checkpoint)
        }
        for (component, tensor, shard) in found where component != .state {
            let (type, shape) = (storage.type(of: component, source: scale), matrix.shape(of: component, rows: rows))
            // A single number may be a scalar, too.
            let isSame = tensor.shape == shape || (shape == [1] && tensor.shape.allSatisfy { $0 == 1 })
            guard tensor.type == type, isSame else {
                throw fault(
                    .invalidInput,
                    "\(tensor.type.rawValue) of \(tensor.shape), and \(type.rawValue) of \(shape) would fit the layer",
                    (tensor, shard), checkpoint)
            }
            try checkConstant(component, storage, columns: columns, (tensor, shard), checkpoint)
        }
        return StoredTensor(
            tensor: SafetensorsTensor(
                name: "\(name).weight", type: values, shape: [rows, columns], offset: 0,
                length: UInt64(rows) * UInt64(matrix.rowBytes)),
            origin: .weights(matrix))
    }

    /// What is the same for all layers, or follows from their shape.
    private func checkConstant(
        _ component: WeightComponent, _ storage: WeightStorage, columns: Int,
        _ part: (tensor: SafetensorsTensor, shard: Int), _ checkpoint: Checkpoint
    ) throws {
        let file = checkpoint.shards[part.shard].file
        guard try !storage.isAsExpected(component, part.tensor, in: file, columns: columns) else { return }
        let what =
            switch component {
            case .groupIndex: "groups of inputs that are not neighbours"
            case .transposedZeroPoint: "zero points that are not the middle"
            case .weightFormat: "bytes in another order than rows"
            default: "codes of other values"
            }
        throw fault(.unsupported, "\(what) cannot be read", part, checkpoint)
    }

    /// Outputs and inputs, from the shapes of the components or from what one of them says, and the offset of magnitudes.
    private func size(
        _ storage: WeightStorage, in checkpoint: Checkpoint
    ) throws -> (rows: Int, columns: Int, offset: Float) {
        guard let part = parts[.weight(storage.weights)] else {
            throw QuernError(.internalFault, "no weights", at: name)
        }
        // Of NF4 all weights are one dimension.
        let isFlat = storage.layout == .bitsandbytes && storage.numbers == .nf4
        guard part.tensor.shape.count == 2, isFlat || part.tensor.shape.allSatisfy({ Self.sizes.contains($0) }) else {
            throw fault(.invalidInput, "weights of shape \(part.tensor.shape) are no matrix", part, checkpoint)
        }
        if let (rows, columns) = storage.size(ofWeights: part.tensor.shape) { return (rows, columns, 0) }
        let (rows, width) = (part.tensor.shape[0], part.tensor.shape[1])
        switch storage.numbers {
        case .packed(_, let group?, _):
            guard let groups = parts[.weight(.scale)]?.tensor.shape.last, Self.sizes.contains(groups)
            else { throw fault(.invalidInput, "there are no scales for it", part, checkpoint) }
            return (rows, groups * group, 0)
        case .packed(let bits, nil, _):
            // Only the shape tells whether the last word of a row is full.
            guard let shape = parts[.weight(.shape)], shape.tensor.type == .i64, shape.tensor.shape == [2] else {
                throw fault(.invalidInput, "the shape of the layer is missing or none", part, checkpoint)
            }
            let bytes = try checkpoint.shards[shape.shard].file.bytes(at: shape.tensor.offset, count: 16)
            let columns = bytes[8...].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let perWord = 32 / bits
            guard columns <= UInt64(width * perWord), columns > UInt64((width - 1) * perWord) else {
                throw fault(
                    .invalidInput, "it says that the layer has \(columns) inputs, and \(width) words hold them", shape,
                    checkpoint)
            }
            return (rows, Int(columns), 0)
        default:
            guard let stored = parts[.weight(.state)], stored.tensor.length <= 64 << 10 else {
                throw fault(.invalidInput, "its description is missing or none", part, checkpoint)
            }
            do {
                let state = try NF4State(
                    checkpoint.shards[stored.shard].file.bytes(
                        at: stored.tensor.offset, count: Int(stored.tensor.length)))
                return (state.rows, state.columns, state.offset)
            } catch let error as QuernError where [.invalidInput, .unsupported].contains(error.code) {
                throw fault(error.code, error.message, stored, checkpoint)
            }
        }
    }

    private func fault(
        _ code: QuernError.Code, _ message: String, _ part: (tensor: SafetensorsTensor, shard: Int),
        _ checkpoint: Checkpoint
    ) -> QuernError {
        QuernError(
            code, message,
            at: "\(checkpoint.shards[part.shard].file.name): tensor \(part.tensor.name.quotedForMessage)",
            remedy: code == .unsupported
                ? "Take the checkpoint it was made from"
                : "The checkpoint is damaged, or config.json belongs to another one: download it again")
    }
}
