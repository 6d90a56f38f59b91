import QuernFormats
import QuernJobs
import QuernModel
import QuernStore

/// Adds the statistics of all groups in the order of the text, and takes from them the vectors that encoders weigh by.
struct MergeStage {
    let work: MergeWork
    let context: StageContext

    func run() throws -> StageOutcome {
        guard case .tokenize(let text)? = context.inputs[work.tokens] else { throw missing(work.tokens) }
        var sum: ModelStatistics?
        for (done, ordinal) in work.groups.enumerated() {
            try context.control.check()
            guard case .calibrate(let result)? = context.inputs[ordinal] else { throw missing(ordinal) }
            guard !result.statistics.isEmpty else { continue }
            let file = JoinedByteSource(
                try result.statistics.map { try context.blobs.get($0, context.control) }, name: "statistics")
            let group = try StatisticsFile.read(from: file)
            if sum == nil { sum = group } else { try sum?.add(group) }
            context.control.report(UInt64(done + 1), of: UInt64(work.groups.count + 1))
        }
        guard let sum, sum.chunks == text.chunks else {
            throw QuernError(
                .invalidInput, "statistics of \(sum?.chunks ?? 0) chunks, the text has \(text.chunks)",
                at: "statistics")
        }
        try sum.checkFinite()
        let bytes = try StatisticsFile.bytes(sum)
        let statistics = try context.blobs.pieces(of: bytes)
        var writers = statistics.writers
        var vectors: [String: Digest] = [:]
        for (name, entry) in try sum.imatrix(dataset: "").importanceMatrix().entries {
            let blob = try context.blobs.pieces(of: entry.bytes)
            // What is too large for a blob no target of the plan has asked for.
            guard let digest = blob.digests.first, blob.digests.count == 1 else { continue }
            // Tensors that read one input share their vectors.
            if !vectors.values.contains(digest) { writers += blob.writers }
            vectors[name] = digest
        }
        let index = try context.blobs.pieces(of: VectorIndex(vectors: vectors).bytes)
        guard let indexDigest = index.digests.first else { throw missing(work.tokens) }
        let result = MergeResult(
            sha256: Digest(of: bytes), statistics: statistics.digests, index: indexDigest, chunks: sum.chunks,
            coverage: sum.coverage,
            warnings: sum.warnings(of: .init(distinctTokens: text.distinctTokens, vocabulary: text.vocabulary)))
        return StageOutcome { [context, writers = writers + index.writers] in
            try context.blobs.commit(writers, context.control)
            return Completion(result: .merge(result))
        }
    }

    private func missing(_ ordinal: Int) -> QuernError {
        QuernError(.invalidInput, "the result of item \(ordinal) is missing", at: "statistics")
    }
}
