/// Holds a folder of quantized layers against its own config.json, as loaders would read it: every layer has exactly the
/// tensors that its scheme asks for, their types and shapes fit each other, and scales are numbers to divide by.
public struct CompressedCheck {
    /// A tensor and the shard it is in.
    struct Entry {
        let shard: Int
        let tensor: SafetensorsTensor
    }
    /// Tensors of one layer by the last part of their names.
    struct Layer {
        let name: String
        var tensors: [String: Entry] = [:]

        func entry(_ component: WeightComponent) -> Entry? { tensors[component.rawValue] }
    }

    let checkpoint: Checkpoint
    let description: QuantizationDescription
    /// In the order of the shards.
    private(set) var layers: [Layer] = []

    /// What a dimension may be, so that no product of it overflows.
    private static let sizes = 1...(1 << 30)
    /// What quantized layers of any format have, and others don't.
    private static let components = Set(WeightComponent.allCases.map(\.rawValue)).union([
        "weight_g_idx", "input_scale", "input_zero_point", "output_scale", "output_zero_point",
    ])

    /// - Throws: `QuernError` as `QuantizationDescription`, or where config.json describes none.
    public init(_ checkpoint: Checkpoint) throws {
        guard let config = checkpoint.config["quantization_config"]?.object else {
            throw QuernError(.invalidInput, "no quantization_config", at: "\(checkpoint.path)/config.json")
        }
        let isCompressed = config["quant_method"]?.string == WeightStorage.Layout.compressedTensors.rawValue
        guard !isCompressed || config["quantization_status"]?.string == "compressed" else {
            throw QuernError(
                .invalidInput, "the weights are not said to be compressed",
                at: "\(checkpoint.path)/config.json: quantization_status")
        }
        self.checkpoint = checkpoint
        do {
            description = try QuantizationDescription(config)
        } catch {
            throw error.located(in: "\(checkpoint.path)/config.json: quantization_config")
        }
        var places: [String: Int] = [:]
        for (shard, (_, header)) in checkpoint.shards.enumerated() {
            for tensor in header.tensors {
                let (name, last) = LayerName.component(tensor.name)
                guard Self.components.contains(last) else { continue }
                if places[name] == nil {
                    places[name] = layers.count
                    layers.append(Layer(name: name))
                }
                if let place = places[name] { layers[place].tensors[last] = Entry(shard: shard, tensor: tensor) }
            }
        }
    }

    /// Everything that headers and a few small tensors tell, then what the scales say, all of which are read, a piece at
    /// a time. Blocks.
    /// - Parameter progress: is told of bytes of scales as they are read, and may throw to end the reading.
    /// - Throws: `QuernError` where reading fails.
    public func faults(progress: (UInt64) throws -> Void = { _ in }) throws -> [CompressedFault] {
        var faults = totalSize() + metadata() + experts() + missingTargets()
        for layer in layers { faults += try self.faults(of: layer) }
        faults += try unequalGlobalScales()
        faults += try badScales(progress)
        return faults
    }

    /// What is wrong with the tensors of one layer.
    private func faults(of layer: Layer) throws -> [CompressedFault] {
        let group = description.group(of: layer.name)
        let layout = group?.weights
        guard isQuantized(layer) else {
            guard let group, layout != nil, let weight = layer.entry(.weight)?.tensor, LayerName.linear(weight) != nil
            else {
                return []
            }
            return [CompressedFault(.plainLayer, at: layer.name, expected: "that of \(group.name)", found: "none")]
        }
        guard let group, let layout else {
            let names = layer.tensors.keys.sorted().joined(separator: ", ")
            return [CompressedFault(.quantizedLayer, at: layer.name, expected: "none", found: names)]
        }
        var wanted = layout.storage.components.map(\.rawValue)
        if group.storesInputScale { wanted.append(WeightComponent.inputGlobalScale.rawValue) }
        var faults = wanted.filter { layer.tensors[$0] == nil }.map {
            CompressedFault(.missingTensor, at: "\(layer.name).\($0)", expected: "there", found: "missing")
        }
        faults += layer.tensors.keys.filter { !wanted.contains($0) }.sorted().map {
            CompressedFault(.unknownTensor, at: "\(layer.name).\($0)", expected: "absent", found: "there")
        }
        return try faults.isEmpty ? shapes(of: layer, layout) : faults
    }

    /// Whether a layer has anything that plain layers don't.
    func isQuantized(_ layer: Layer) -> Bool {
        guard layer.tensors.count == 1, let weight = layer.entry(.weight)?.tensor else { return true }
        return [.i8, .f8_E4M3].contains(weight.type) && weight.shape.count == 2
    }

    /// Types and shapes of a layer that has all its tensors.
    private func shapes(of layer: Layer, _ layout: QuantizationDescription.Layout) throws -> [CompressedFault] {
        let storage = layout.storage
        guard let main = layer.entry(storage.weights) else { return [] }
        // Of NF4 all weights are one dimension.
        guard main.tensor.shape.count == 2,
            storage.numbers == .nf4 || main.tensor.shape.allSatisfy({ Self.sizes.contains($0) })
        else {
            return [Self.fault(.shape, main.tensor, "that of a matrix", "\(main.tensor.shape)")]
        }
        let (rows, columns): (Int, Int)
        if let size = storage.size(ofWeights: main.tensor.shape) {
            (rows, columns) = size
        } else if let stored = layer.entry(.shape) {
            guard stored.tensor.type == .i64, stored.tensor.shape == [2] else {
                return [
                    Self.fault(.type, stored.tensor, "I64 [2]", "\(stored.tensor.type.rawValue) \(stored.tensor.shape)")
                ]
            }
            let numbers = try integers(stored)
            guard numbers[0] == Int64(main.tensor.shape[0]), (1...Int64(32 * main.tensor.shape[1])).contains(numbers[1])
            else {
                return [Self.fault(.storedShape, stored.tensor, "that of \(main.tensor.shape[0]) rows", "\(numbers)")]
            }
            (rows, columns) = (main.tensor.shape[0], Int(numbers[1]))
        } else if let stored = layer.entry(.state) {
            do {
                let state = try NF4State(bytes(stored))
                (rows, columns) = (state.rows, state.columns)
            } catch let error as QuernError where [.invalidInput, .unsupported].contains(error.code) {
                return [Self.fault(.storedShape, stored.tensor, "a description of NF4", "none: \(error.message)")]
            }
        } else {
            return []
        }
        guard storage.fits(rows: rows, columns: columns) else {
            return [Self.fault(.shape, main.tensor, "whole groups", "\(rows) × \(columns)")]
        }
        let scale = layer.entry(.scale)?.tensor.type ?? .f32
        let isFloat = [.f32, .f16, .bf16].contains(scale)
        var faults: [CompressedFault] = []
        for component in storage.components {
            guard let tensor = layer.entry(component)?.tensor else { continue }
            let type = storage.type(of: component, source: isFloat ? scale : .f32)
            if tensor.type != type { faults.append(Self.fault(.type, tensor, type.rawValue, tensor.type.rawValue)) }
            // A description is as long as it is.
            if component == .state { continue }
            let isOne = component == .scale && layout.hasOneScale
            let shape = isOne ? [1] : storage.shape(of: component, rows: rows, columns: columns)
            if tensor.shape != shape { faults.append(Self.fault(.shape, tensor, "\(shape)", "\(tensor.shape)")) }
        }
        if faults.isEmpty { faults += try constants(of: layer, storage, columns: columns) }
        if let input = layer.tensors[WeightComponent.inputGlobalScale.rawValue]?.tensor,
            input.type != .f32 || input.shape != [1]
        {
            faults.append(Self.fault(.type, input, "F32 [1]", "\(input.type.rawValue) \(input.shape)"))
        }
        return faults
    }

    private func constants(of layer: Layer, _ storage: WeightStorage, columns: Int) throws -> [CompressedFault] {
        try storage.components.compactMap { component in
            guard let entry = layer.entry(component) else { return nil }
            let file = checkpoint.shards[entry.shard].file
            if try storage.isAsExpected(component, entry.tensor, in: file, columns: columns) { return nil }
            return Self.fault(.constant, entry.tensor, "that of every layer", "another")
        }
    }

    static func fault(
        _ kind: CompressedFault.Kind, _ tensor: SafetensorsTensor, _ expected: String, _ found: String
    ) -> CompressedFault {
        CompressedFault(kind, at: tensor.name, expected: expected, found: found)
    }

    private func bytes(_ entry: Entry) throws -> [UInt8] {
        // Of what is small: no more than anybody would write.
        try checkpoint.shards[entry.shard].file.bytes(
            at: entry.tensor.offset, count: Int(min(entry.tensor.length, 64 << 10)))
    }

    private func integers(_ entry: Entry) throws -> [Int64] {
        let bytes = try bytes(entry)
        return [0, 8].map { start in
            Int64(bitPattern: bytes[start..<start + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        }
    }
}
