/// A place where channels can be rescaled without a change of the model's function: what makes an input is divided by a
/// number for each channel, and the columns of all weights that read it are multiplied by it.
package struct Fold: Sendable, Equatable {
    package enum Producer: Sendable, Equatable {
        /// Multiplies each channel by a factor of its own.
        case norm(Norm)
        /// Rows of a weight, a channel each, counted through all its matrices; what comes after them until the input is
        /// linear in each channel.
        case rows(weight: String, first: Int, bias: String?)
    }

    package let producer: Producer
    /// All weights that read the input.
    package let readers: [String]
    package let input: LinearInput
    /// Which of the input's matrices: an expert.
    package let matrix: Int

    package var channels: Int { input.channels }
    package var isOfNorm: Bool { if case .norm = producer { true } else { false } }
}

extension DecoderGraph {
    /// All such places, in the order of the forward pass. A norm that a router reads, too, is none: routers are not
    /// rescaled.
    package var folds: [Fold] { layers.flatMap { $0.attentionFolds + $0.feedForwardFolds } }
}

extension DecoderLayer {
    fileprivate var attentionFolds: [Fold] {
        var folds: [Fold] = []
        switch attention.projections {
        case .grouped(let grouped):
            folds +=
                attentionNorms.before.map { Fold(norm: $0, readers: [grouped.linear], input: grouped.input) }
                .map { [$0] } ?? []
            folds += values(of: grouped).map { [$0] } ?? []
        case .latent(let latent):
            let queries = latent.queryDown?.down ?? latent.query
            folds +=
                attentionNorms.before.map {
                    [Fold(norm: $0, readers: [queries, latent.keyValueDown], input: latent.keyValueInput)]
                } ?? []
            folds +=
                latent.queryDown.map {
                    [Fold(norm: $0.norm, readers: [latent.query], input: latent.queryInput)]
                } ?? []
        }
        return folds
    }

    /// Values to the output projection, where each is read once.
    private func values(of grouped: GroupedProjections) -> Fold? {
        guard attention.heads == attention.keyValueHeads, let last = grouped.linear.parts.last,
            case let channels = attention.heads * attention.valueLength, last.outputs >= channels,
            attention.outputInput.channels == channels
        else { return nil }
        return Fold(
            producer: .rows(weight: last.weight, first: last.outputs - channels, bias: last.bias),
            readers: attention.output.parts.map(\.weight), input: attention.outputInput, matrix: 0)
    }

    fileprivate var feedForwardFolds: [Fold] {
        switch feedForward {
        case .dense(let dense):
            let norm = feedForwardNorms.before.map { Fold(norm: $0, readers: [dense.up], input: dense.input) }
            let down =
                dense.isGated
                ? Fold.gated(up: dense.up, down: dense.down, dense.downInput, dense.activation) : []
            return (norm.map { [$0] } ?? []) + down
        case .experts(let experts):
            let shared = experts.shared.map {
                Fold.gated(up: $0.up, down: $0.down, $0.downInput, experts.activation)
            }
            return Fold.gated(up: experts.up, down: experts.down, experts.downInput, experts.activation)
                + (shared ?? [])
        }
    }
}

extension Fold {
    fileprivate init(norm: Norm, readers: [Linear], input: LinearInput) {
        self.init(
            producer: .norm(norm), readers: readers.flatMap { $0.parts.map(\.weight) }, input: input, matrix: 0)
    }

    /// The up projection to the down projection, expert by expert; the outputs of `up` are [gate | up].
    fileprivate static func gated(up: Linear, down: Linear, _ input: LinearInput, _ activation: Activation) -> [Fold] {
        if case .clampedSilu = activation { return [] }
        guard let last = up.parts.last, last.outputs >= down.inputs, up.matrices == down.matrices else { return [] }
        return (0..<up.matrices).map { matrix in
            Fold(
                producer: .rows(
                    weight: last.weight, first: (matrix + 1) * last.outputs - down.inputs, bias: last.bias),
                readers: down.parts.map(\.weight), input: input, matrix: matrix)
        }
    }
}
