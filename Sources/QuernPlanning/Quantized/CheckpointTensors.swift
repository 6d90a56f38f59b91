import QuernFormats
import QuernStore

/// The tensors of a checkpoint as if its linear layers were not quantized: in place of the components of a layer stands
/// one matrix of plain values.
struct CheckpointTensors {
    /// In the order of the shards and of their bytes; a layer is where its numbers are.
    let tensors: [StoredTensor]
    /// Nil where nothing is quantized, or in a way that is taken over or refused elsewhere.
    let quantization: StoredQuantization?

    /// What loaders round at run time, and nothing is computed with here.
    private static let runTime: Set<String> = [
        "input_scale", "input_zero_point", "input_global_scale", "output_scale", "output_zero_point", "q_scale",
        "k_scale", "v_scale", "q_zero_point", "k_zero_point", "v_zero_point",
    ]

    /// Reads headers, and the shapes of layers whose widths are not seen in them.
    /// - Parameter values: the type that values of quantized layers shall have: F32, which keeps them as they are, BF16
    ///   or F16.
    /// - Throws: `QuernError` `.invalidInput` naming the shard and the tensor where components are missing or do not
    ///   belong together, `.unsupported` for what is stored in a way that nothing here reads.
    init(_ checkpoint: Checkpoint, values: SafetensorsType = .f32) throws {
        let stored = checkpoint.shards.enumerated().flatMap { shard, content in
            content.header.tensors.map { StoredTensor(tensor: $0, origin: .file(shard)) }
        }
        quantization = try StoredQuantization(checkpoint.config)
        guard let quantization else {
            tensors = stored
            return
        }
        var layers: [String: StoredLayer] = [:]
        for (shard, content) in checkpoint.shards.enumerated() {
            for tensor in content.header.tensors {
                let (layer, last) = LayerName.component(tensor.name)
                guard !Self.runTime.contains(last), let component = StoredLayer.Component(name: last) else { continue }
                layers[layer, default: StoredLayer(name: layer)].add(tensor, component, in: shard)
            }
        }
        layers = layers.filter(\.value.isQuantized)
        tensors = try stored.compactMap { part in
            let (name, last) = LayerName.component(part.tensor.name)
            if Self.runTime.contains(last) { return nil }
            guard let layer = layers[name], let component = StoredLayer.Component(name: last) else { return part }
            if component.holdsWeights || !layer.hasWeights {
                return try layer.tensor(quantization.layout(of: name), values: values, in: checkpoint)
            }
            return nil
        }
    }
}
