import QuernJobs

/// The matrices of an artifact by kind and layer: `blk.3.ffn_down.weight` is kind `ffn_down` of layer 3.
struct TensorGrid {
    /// A kind of tensor that several layers have.
    struct Row {
        let kind: String
        /// By layer.
        var tensors: [Int: AssembledTensor] = [:]
    }
    /// In the order in which kinds first appear, layer by layer.
    private(set) var rows: [Row] = []
    /// Matrices that belong to no layer: embeddings, the head.
    private(set) var others: [AssembledTensor] = []
    /// Norms, biases and the like: tensors of one dimension, which stay as they are.
    private(set) var vectors = 0
    /// Ascending.
    let layers: [Int]

    /// More layers or kinds than this make no picture.
    static let limit = 1000

    init(_ tensors: [AssembledTensor]) {
        var places: [String: Int] = [:]
        var layers: Set<Int> = []
        for tensor in tensors where tensor.weights != 0 {
            guard tensor.shape.count(where: { $0 > 1 }) > 1 else {
                vectors += 1
                continue
            }
            guard let (kind, layer) = Self.kind(of: tensor.name), places.count < Self.limit else {
                others.append(tensor)
                continue
            }
            let place = places[kind] ?? rows.count
            if place == rows.count {
                places[kind] = place
                rows.append(Row(kind: kind))
            }
            rows[place].tensors[layer] = tensor
            layers.insert(layer)
        }
        self.layers = layers.sorted()
    }

    /// The first component of a name that is a number is its layer; what is left is its kind.
    static func kind(of name: String) -> (kind: String, layer: Int)? {
        var parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard let place = parts.firstIndex(where: { $0.utf8.allSatisfy { (48...57).contains($0) } && !$0.isEmpty }),
            let layer = Int(parts[place]), layer < 1_000_000
        else { return nil }
        parts.remove(at: place)
        if parts.last == "weight" || parts.last == "weight_packed" { parts.removeLast() }
        let usual = ["blk", "model.layers"]
        let prefix = parts[..<place].joined(separator: ".")
        if usual.contains(prefix) { parts.removeFirst(place) }
        return parts.isEmpty ? nil : (parts.joined(separator: "."), layer)
    }
}
