import QuernFormats
import QuernStore

/// Experts of a block that a checkpoint keeps in tensors of three dimensions, cut into linear layers of their own: vLLM
/// loads compressed experts by no other names, and llm-compressor writes them by these.
///
/// `experts.gate_up_proj` has the gate and the up projection one after the other, [E, 2·I, H], and `experts.down_proj` is
/// [E, H, I]; some classes keep both transposed, [E, H, 2·I] and [E, I, H]. The shapes of the two together say which it
/// is.
struct FusedExperts {
    /// What an artifact has in place of each tensor that is cut, in the order of experts.
    private(set) var parts: [Int: [StoredCheckpoint.Tensor]] = [:]
    /// Lists of experts that stay as they are, as `layers.0.mlp.experts`, in the order of the checkpoint.
    private(set) var kept: [String] = []

    /// Classes that keep gate and up projections row by row in turn, with biases. vLLM loads these experts as they are or
    /// in a format of their own.
    private static let interleaved: Set<String> = ["gpt_oss", "openai_privacy_filter"]
    private static let gateUp = "gate_up_proj"
    private static let down = "down_proj"

    /// - Parameter model: the `model_type` of config.json.
    init(_ tensors: [StoredCheckpoint.Tensor], model: String?) {
        var places: [Substring: Int] = [:]
        for (index, tensor) in tensors.enumerated() { places[Self.stem(tensor.name)] = index }
        var seen: Set<String> = []
        for (index, tensor) in tensors.enumerated() where Self.holdsExperts(tensor.stored) {
            let stem = Self.stem(tensor.name)
            let parent = stem.lastIndex(of: ".").map { stem[..<$0] } ?? ""
            let list = parent.hasSuffix("experts") ? String(parent) : "\(parent).experts"
            let last = stem.dropFirst(parent.count + 1)
            let isPlain = !Self.interleaved.contains(model ?? "") && places["\(parent).\(Self.gateUp)_bias"] == nil
            if isPlain, parent.hasSuffix("experts"), let gateUp = places["\(parent).\(Self.gateUp)"],
                let down = places["\(parent).\(Self.down)"],
                let layout = Layout(gateUp: tensors[gateUp].stored, down: tensors[down].stored)
            {
                if last == Self.gateUp || last == Self.down {
                    parts[index] = Self.cut(tensor, index, layout, list, isGateUp: last == Self.gateUp)
                }
            } else if seen.insert(list).inserted {
                kept.append(list)
            }
        }
    }

    /// How the matrices of one block lie.
    private struct Layout {
        let experts: Int
        let inner: Int
        let hidden: Int
        let isTransposed: Bool

        /// - Returns: nil where the shapes fit neither way.
        init?(gateUp: SafetensorsTensor, down: SafetensorsTensor) {
            let (first, second) = (gateUp.shape, down.shape)
            guard first.count == 3, second.count == 3, first[0] == second[0], gateUp.type == down.type,
                (first + second).allSatisfy({ $0 > 0 })
            else { return nil }
            experts = first[0]
            if first[2] == second[1], first[1] == 2 * second[2] {
                (inner, hidden, isTransposed) = (second[2], second[1], false)
            } else if first[1] == second[2], first[2] == 2 * second[1] {
                (inner, hidden, isTransposed) = (second[1], second[2], true)
            } else {
                return nil
            }
        }
    }

    private static func stem(_ name: String) -> Substring {
        name.hasSuffix(".weight") ? name.dropLast(".weight".count) : name[...]
    }

    /// Whether a tensor is of matrices, one for each expert.
    private static func holdsExperts(_ tensor: SafetensorsTensor) -> Bool {
        guard tensor.shape.count == 3, tensor.shape.allSatisfy({ $0 > 1 }), [.f32, .f16, .bf16].contains(tensor.type)
        else { return false }
        return tensor.name.split(separator: ".").contains { $0.hasSuffix("experts") || $0.hasSuffix("moe") }
    }

    private static func cut(
        _ tensor: StoredCheckpoint.Tensor, _ index: Int, _ layout: Layout, _ list: String, isGateUp: Bool
    ) -> [StoredCheckpoint.Tensor] {
        let stored = tensor.stored
        let element = stored.type.bits / 8
        let (rows, columns) = isGateUp ? (layout.inner, layout.hidden) : (layout.hidden, layout.inner)
        let names =
            switch (list.contains("block_sparse_moe"), isGateUp) {
            case (true, true): ["w1", "w3"]
            case (true, false): ["w2"]
            case (false, true): ["gate_proj", "up_proj"]
            case (false, false): ["down_proj"]
            }
        // Of one expert, and, where it is stored transposed, of one of its columns.
        let matrix = names.count * rows * columns * element
        let column = names.count * rows * element
        let strides = Strides.transposed(
            rows: columns, columns: rows, element: element, rowBytes: column, matrixBytes: matrix)
        return (0..<layout.experts).flatMap { expert in
            names.enumerated().map { place, name in
                let start = expert * matrix + place * rows * element * (layout.isTransposed ? 1 : columns)
                return StoredCheckpoint.Tensor(
                    stored: SafetensorsTensor(
                        name: "\(list).\(expert).\(name).weight", type: stored.type, shape: [rows, columns],
                        offset: stored.offset + UInt64(start), length: UInt64(rows * columns * element)),
                    origin: tensor.origin,
                    cut: StoredCheckpoint.Cut(whole: index, strides: layout.isTransposed ? strides : nil))
            }
        }
    }
}
