/// Layers that loaders put together into one matrix, and that therefore have to be quantized alike.
public enum FusedLayers {
    /// Of one attention or feed-forward block: its NVFP4 weights share one global scale, too.
    private static let sharingScale = [
        ["q_proj", "k_proj", "v_proj"], ["gate_proj", "up_proj"], ["w1", "w3"],
    ]
    /// Vocabulary of vLLM's `packed_modules_mapping`, without those above.
    private static let sharingScheme = [
        ["q_a_proj", "kv_a_proj_with_mqa"], ["wq_a", "wkv_a_with_mqa"], ["in_proj_qkv", "in_proj_z"],
        ["in_proj_b", "in_proj_a"],
    ]

    /// Sets of at least two layers whose NVFP4 weights share a global scale, in the order of their first layers.
    public static func sharingScale(_ layers: [String]) -> [[String]] {
        sets(of: layers) { layer in
            let (parent, last) = LayerName.split(layer)
            return sharingScale.first { $0.contains(last) }.map { "\(parent) \($0[0])" }
        }
    }

    /// Sets of at least two layers that must have one scheme, likewise. All routed experts of a block are one set.
    public static func sharingScheme(_ layers: [String]) -> [[String]] {
        sets(of: layers) { layer in
            if let expert = LayerName.expert(in: layer) { return String(expert.list) }
            let (parent, last) = LayerName.split(layer)
            return (sharingScale + sharingScheme).first { $0.contains(last) }.map { "\(parent) \($0[0])" }
        }
    }

    private static func sets(of layers: [String], key: (String) -> String?) -> [[String]] {
        var order: [String] = []
        var sets: [String: [String]] = [:]
        for layer in layers {
            guard let key = key(layer) else { continue }
            if sets[key] == nil { order.append(key) }
            sets[key, default: []].append(layer)
        }
        return order.compactMap { sets[$0] }.filter { $0.count > 1 }
    }
}
