import QuernFormats
import QuernJobs
import QuernStore

/// The pieces of an artifact file with their places: an assemble item and the results of its encode items, joined and
/// held to fit before anything is written.
struct AssemblePlan {
    struct Piece {
        let offset: UInt64
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
            var offset = tensor.offset
            for reference in tensor.parts {
                guard case .encode(let result)? = inputs[reference.ordinal],
                    result.parts.indices.contains(reference.index)
                else {
                    throw QuernError(
                        .invalidInput, "part \(reference.index) of item \(reference.ordinal) is missing",
                        at: tensor.name)
                }
                let part = result.parts[reference.index]
                guard part.bytes <= tensor.offset + tensor.bytes - offset else { throw Self.misfit(tensor) }
                pieces.append(Piece(offset: offset, part: part))
                offset += part.bytes
            }
            guard offset == tensor.offset + tensor.bytes else { throw Self.misfit(tensor) }
            tensors.append(first..<pieces.count)
            end = offset
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
