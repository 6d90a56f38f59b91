/// Layers that loaders join into one, because they read the same: what is shared by a whole tensor is shared by all of
/// them.
enum FusedLayers {
    private static let groups: [Set<String>] = [
        ["q_proj", "k_proj", "v_proj"], ["gate_proj", "up_proj"], ["w1", "w3"],
    ]

    /// Equal for layers that are joined.
    static func key(of layer: String) -> String {
        let parts = layer.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard let last = parts.last, let group = groups.first(where: { $0.contains(last) }) else { return layer }
        return (parts.dropLast() + [group.sorted().joined(separator: "+")]).joined(separator: ".")
    }
}
