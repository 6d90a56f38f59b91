import QuernFormats
import QuernJobs

extension ModelStatistics {
    /// The sums of squares as llama-imatrix would have them: an entry for each tensor that reads an input. Experts have
    /// a count each; tensors with a matrix for each head, which all see the same rows, have one.
    /// - Parameter dataset: what to call the text; nil where nobody knows.
    public func imatrix(dataset: String?) -> ImatrixFile {
        var entries: [String: ImatrixFile.Entry] = [:]
        for input in inputs {
            let entry = ImatrixFile.Entry(
                sums: input.squares.map { Float($0) },
                counts: (input.isOfExperts ? input.counts : Array(input.counts.prefix(1))).map { Float($0) })
            for tensor in input.tensors { entries[tensor] = entry }
        }
        return ImatrixFile(
            entries: entries, datasets: dataset.map { [$0] } ?? [], chunkCount: chunks, chunkTokens: origin.chunkTokens)
    }

    /// The rows that reached each expert, layer by layer.
    public var coverage: [ExpertCoverage] {
        inputs.filter { $0.name.contains(".ffn_down_exps.") }.compactMap { input in
            let parts = input.name.split(separator: ".")
            guard parts.count > 1, let layer = Int(parts[1]) else { return nil }
            return ExpertCoverage(layer: layer, tokens: input.counts.map { Int($0) })
        }.sorted { $0.layer < $1.layer }
    }

    /// How the rows were spread over the experts of each tensor that has any, in the order of the inputs.
    public var experts: [ImatrixReport.Coverage] {
        inputs.filter(\.isOfExperts).flatMap { input in
            input.tensors.map { ImatrixReport.Coverage($0, input.counts.map { Float($0) }) }
        }
    }
}

extension InputStatistics {
    /// Whether each of its matrices has rows of its own.
    var isOfExperts: Bool { name.contains("_exps.") }
}
