import QuernFormats
import QuernPlanning
import QuernStore
import Synchronization

/// How far the predictions of a model move where one of its tensors is another: mean Kullback–Leibler divergences.
///
/// What models have in common is computed once: layers before the tensor's for all of them, and the weights of layers
/// after it are read once for all.
public final class Sensitivity {
    /// A tensor in place of the one of its name.
    public struct Variation: Sendable {
        let tensor: SourceTensor
        let digest: Digest
        let bytes: [UInt8]

        /// - Parameter bytes: blocks of `type`, of all rows of `tensor`.
        public init(of tensor: SourceTensor, type: ElementType, bytes: [UInt8]) {
            digest = Digest(of: bytes)
            self.bytes = bytes
            self.tensor = SourceTensor(
                name: tensor.name, shape: tensor.shape, type: type,
                extents: [Extent(origin: .blob(digest), offset: 0, length: UInt64(bytes.count))],
                importanceName: tensor.importanceName)
        }
    }

    private let model: SourceModel
    private let reference: Decoder
    private let crew: Crew

    /// Bytes of logits, of all models together.
    private static let logitBytes = 192 << 20

    /// What the last digits depend on.
    public var arithmetic: String { reference.arithmetic }

    /// Reads no weights.
    /// - Throws: as `Decoder`.
    public convenience init(model: SourceModel, threads: Int) throws {
        try self.init(model: model, threads: threads, engine: try MatrixEngine())
    }

    /// - Parameter engine: what computes.
    package init(model: SourceModel, threads: Int, engine: any ForwardEngine) throws {
        self.model = model
        crew = Crew(threads: threads, engine: engine)
        reference = try Decoder(model: model, crew: crew)
    }

    /// - Parameters:
    ///   - variations: of tensors of the same layer.
    ///   - layer: their layer; nil for embeddings and head.
    ///   - chunks: token ids, at least 4 in each; the second half of each is looked at.
    ///   - progress: as for `Decoder.forward`.
    /// - Returns: for each variation the mean over all positions, in nats.
    /// - Throws: `.invalidInput` where predictions are no distributions, and what reading throws.
    public func divergences(
        of variations: [Variation], layer: Int?, chunks: [[Int32]], progress: (Double) throws -> Void
    ) throws -> [Double] {
        let last = reference.graph.layers.count
        let steps = Double(last + 1)
        func advance(_ decoder: Decoder, _ pass: DecoderPass) throws {
            try decoder.advance(pass) { try progress((Double(pass.next) + $0) / steps) }
        }
        let decoders = try variations.map { try Decoder(model: model.replacing($0), crew: crew) }
        let pass = try reference.begin(chunks, last: .secondHalf) { _ in try progress(0) }
        var passes = [pass]
        if let layer {
            while pass.next < layer { try advance(reference, pass) }
            passes += try decoders.map { decoder in
                let own = try decoder.begin(at: [pass])
                try advance(decoder, own)
                return own
            }
            try advance(reference, pass)
        } else {
            passes += try decoders.map { try $0.begin(chunks, last: .secondHalf) { _ in try progress(0) } }
        }
        let all = try reference.begin(at: passes)
        passes = []
        while all.next < last { try advance(reference, all) }
        // Layers have no part in heads, which are read once then.
        let heads = layer == nil ? [reference] + decoders : variations.map { _ in reference } + [reference]
        let sums = try sums(all, heads, chunks: chunks) { try progress((Double(last) + $0) / steps) }
        try reference.checkUnchanged()
        let positions = chunks.reduce(0) { $0 + Self.positions(of: $1).count }
        return sums.map { $0 / Double(max(positions, 1)) }
    }

    private static func positions(of chunk: [Int32]) -> Range<Int> {
        chunk.count / 2..<max(chunk.count / 2, chunk.count - 1)
    }

    private func sums(
        _ pass: DecoderPass, _ heads: [Decoder], chunks: [[Int32]], progress: (Double) throws -> Void
    ) throws -> [Double] {
        let vocabulary = reference.graph.vocabularySize
        let block = max(1, Self.logitBytes / (4 * vocabulary * heads.count))
        var sums = [Double](repeating: 0, count: heads.count - 1)
        for (chunk, tokens) in chunks.enumerated() {
            let positions = Self.positions(of: tokens)
            for start in stride(from: positions.lowerBound, to: positions.upperBound, by: block) {
                let rows = start..<min(start + block, positions.upperBound)
                let logits = try heads.enumerated().map { index, head in
                    let buffer = crew.buffers.take(rows.count * vocabulary)
                    let states = try reference.finish(
                        pass, chunk: index * chunks.count + chunk, positions: rows)
                    try head.logits(
                        of: states, chunk: 0, rows: 0..<rows.count,
                        into: UnsafeMutableBufferPointer(start: buffer.base, count: rows.count * vocabulary)
                    ) { _ in try progress(Double(chunk) / Double(chunks.count)) }
                    return buffer
                }
                defer { logits.forEach(crew.buffers.give) }
                let scores = try PositionScores.pieces(
                    of: logits, vocabulary: vocabulary, next: tokens[rows.lowerBound + 1..<rows.upperBound + 1],
                    names: heads.map { _ in model.name }, chunk: chunk, rows: rows, crew)
                for index in sums.indices {
                    sums[index] += scores.reduce(0) { sum, piece in
                        piece.candidates[index].divergences.reduce(sum) { $0 + Double($1) }
                    }
                }
            }
        }
        return sums
    }
}

extension SourceModel {
    fileprivate func replacing(_ variation: Sensitivity.Variation) -> SourceModel {
        SourceModel(
            name: name, architecture: architecture, metadata: metadata,
            tensors: tensors.map { $0.name == variation.tensor.name ? variation.tensor : $0 }, files: files,
            blobs: blobs.merging([variation.digest: variation.bytes]) { first, _ in first }, hints: hints,
            quantizedAs: quantizedAs)
    }
}
