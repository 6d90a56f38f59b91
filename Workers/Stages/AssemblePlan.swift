import QuernFormats
import QuernJobs
import QuernStore

/// The pieces of an artifact file with their places: an assemble item and the results of its encode items, joined and
/// held to fit before anything is written.
struct AssemblePlan {
    struct Piece {
        let offset: UInt64
        /// Nil for bytes that follow each other.
        let lines: PartPlace.Lines?
        let part: Part
    }
    /// In order of offset; all but the header.
    let pieces: [Piece]
    /// Indices into `pieces` of each tensor's parts.
    let tensors: [Range<Int>]

    /// - Throws: `.invalidInput` where results are missing, or parts and places do not fit.
    init(_ work: AssembleWork, inputs: [Int: WorkResult]) throws {
        var pieces: [Piece] = []
        var tensors: [Range<Int>] = []
        var end: UInt64 = 0
        for tensor in work.tensors {
            guard tensor.offset >= end, tensor.offset <= work.size, tensor.bytes <= work.size - tensor.offset else {
                throw QuernError(
                    .invalidInput, "its place at offset \(tensor.offset) overlaps another or leaves the file",
                    at: tensor.name)
            }
            let first = pieces.count
            var done: UInt64 = 0
            let lines = UInt64(max(tensor.lines ?? 1, 1))
            for reference in tensor.parts {
                guard case .encode(let result)? = inputs[reference.ordinal],
                    result.parts.indices.contains(reference.index)
                else {
                    throw QuernError(
                        .invalidInput, "part \(reference.index) of item \(reference.ordinal) is missing",
                        at: tensor.name)
                }
                let part = result.parts[reference.index]
                guard part.bytes <= tensor.bytes - done, part.bytes % lines == 0, tensor.bytes % lines == 0 else {
                    throw Self.misfit(tensor)
                }
                let beside =
                    tensor.lines == nil || part.bytes == 0
                    ? nil : PartPlace.Lines(length: part.bytes / lines, stride: tensor.bytes / lines)
                pieces.append(Piece(offset: tensor.offset + done / lines, lines: beside, part: part))
                done += part.bytes
            }
            guard done == tensor.bytes else { throw Self.misfit(tensor) }
            tensors.append(first..<pieces.count)
            end = tensor.offset + tensor.bytes
        }
        self.pieces = pieces
        self.tensors = tensors
    }

    private static func misfit(_ tensor: TensorPlacement) -> QuernError {
        QuernError(.invalidInput, "its parts do not add up to \(tensor.bytes) bytes", at: tensor.name)
    }

    /// √(Σ(x − x̂)² / Σx²) over the parts of a tensor, in their order; 0 where nothing was summed.
    func error(of tensor: Int) -> Double {
        let parts = pieces[tensors[tensor]].map(\.part)
        let norm = parts.reduce(0) { $0 + $1.squaredNorm }
        guard norm > 0 else { return 0 }
        return (parts.reduce(0) { $0 + $1.squaredError }.clamped / norm.clamped).squareRoot().clamped
    }
}
