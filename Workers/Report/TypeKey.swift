/// The types of an artifact with the bytes of each.
struct TypeKey {
    private let kinds: [(name: String, bits: Double, bytes: UInt64)]

    /// - Parameter tensors: the name of the type, its bits for a weight, and its bytes.
    init(_ tensors: [(name: String, bits: Double, bytes: UInt64)]) {
        var kinds: [String: (bits: Double, bytes: UInt64)] = [:]
        for tensor in tensors { kinds[tensor.name, default: (tensor.bits, 0)].bytes &+= tensor.bytes }
        self.kinds = kinds.sorted { ($0.value.bits, $0.key) < ($1.value.bits, $1.key) }
            .map { ($0.key, $0.value.bits, $0.value.bytes) }
    }

    var html: String {
        kinds.map {
            HTML.chip(ColourScale.colour(ofBits: $0.bits), $0.name) + " " + HTML.escape(Figure.bytes($0.bytes))
        }
        .joined(separator: " ")
    }
}
