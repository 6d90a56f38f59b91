import QuernJobs

/// The matrices of a model by kind and layer: `blk.3.ffn_down.weight` is kind `ffn_down` of layer 3.
struct TensorGrid<Tensor> {
    /// A kind of tensor that several layers have.
    struct Row {
        let kind: String
        /// By layer.
        var tensors: [Int: Tensor] = [:]
    }
    /// In the order in which kinds first appear, layer by layer.
    private(set) var rows: [Row] = []
    /// Matrices that belong to no layer: embeddings, the head.
    private(set) var others: [Tensor] = []
    /// Norms, biases and the like: tensors of one dimension, which stay as they are.
    private let vectors: Int
    /// Ascending.
    let layers: [Int]
    private let name: (Tensor) -> String

    /// More layers or kinds than this make no picture.
    private static var limit: Int { 1000 }

    /// - Parameters:
    ///   - tensors: matrices.
    ///   - vectors: how many others there are.
    init(_ tensors: [Tensor], vectors: Int = 0, name: @escaping (Tensor) -> String) {
        self.vectors = vectors
        self.name = name
        var places: [String: Int] = [:]
        var layers: Set<Int> = []
        for tensor in tensors {
            guard let (kind, layer) = Self.kind(of: name(tensor)), places.count < Self.limit else {
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

    /// - Parameter description: for those who do not see it.
    func map(_ description: String, cell: (Tensor) -> HeatMap.Cell) -> String {
        HeatMap(
            rows: rows.map(\.kind), columns: layers.map(String.init),
            cells: rows.map { row in layers.map { row.tensors[$0].map(cell) } }, description: description
        ).svg()
    }

    /// What the map does not show, in a line below it.
    func beside(_ cell: (Tensor) -> HeatMap.Cell) -> String {
        var parts = others.prefix(24).map { tensor in
            let cell = cell(tensor)
            return HTML.escape(name(tensor)) + " " + HTML.chip((cell.fill, cell.text), cell.label)
        }
        if others.count > parts.count { parts.append("and \(others.count - parts.count) more") }
        if vectors > 0 { parts.append("\(vectors) tensor\(vectors == 1 ? "" : "s") of one dimension") }
        guard !parts.isEmpty else { return "" }
        return HTML.element("p", [("class", "note")], "Beside them: " + parts.joined(separator: " · "))
    }

    /// The first component of a name that is a number is its layer; what is left is its kind.
    private static func kind(of name: String) -> (kind: String, layer: Int)? {
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

extension TensorGrid<AssembledTensor> {
    init(_ tensors: [AssembledTensor]) {
        let weights = tensors.filter { $0.weights != 0 }
        let matrices = weights.filter { tensor in tensor.shape.count(where: { $0 > 1 }) > 1 }
        self.init(matrices, vectors: weights.count - matrices.count, name: \.name)
    }
}
