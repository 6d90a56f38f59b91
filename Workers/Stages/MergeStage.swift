import QuernFormats
import QuernJobs
import QuernModel
import QuernStore

/// Adds the statistics of all groups in the order of the text, and takes from them the vectors that encoders weigh by.
///
/// All groups are gone through side by side, a few inputs at a time, so that memory depends on the largest input and
/// not on the model.
struct MergeStage {
    let work: MergeWork
    let context: StageContext

    func run() throws -> StageOutcome {
        guard case .tokenize(let text)? = context.inputs[work.tokens] else { throw missing(work.tokens) }
        let sum = try open()
        guard sum.chunks == text.chunks else {
            throw QuernError(
                .invalidInput, "statistics of \(sum.chunks) chunks, the text has \(text.chunks)", at: "statistics")
        }
        var file = FileInBlobs(context)
        try file.append(sum.header())
        var vectors: [String: Digest] = [:]
        var coverage: [ExpertCoverage] = []
        var experts: [ImatrixReport.Coverage] = []
        let windows = sum.windows(bytes: maximumBlobBytes)
        for (done, window) in windows.enumerated() {
            let statistics = try sum.statistics(of: window)
            for input in statistics.inputs { try file.append(StatisticsFile.bytes(of: input)) }
            try keepVectors(of: statistics, &vectors)
            coverage += statistics.coverage
            experts += statistics.experts
            context.control.report(UInt64(done + 1), of: UInt64(windows.count))
        }
        let index = try context.blobs.pieces(of: VectorIndex(vectors: vectors).bytes)
        guard let indexDigest = index.digests.first else { throw missing(work.tokens) }
        let (sha256, blobs) = try file.finish()
        let result = MergeResult(
            sha256: sha256, statistics: blobs, index: indexDigest, chunks: sum.chunks,
            coverage: coverage.sorted { $0.layer < $1.layer },
            warnings: sum.warnings(
                of: .init(distinctTokens: text.distinctTokens, vocabulary: text.vocabulary), experts: experts))
        return StageOutcome { [context] in
            try context.blobs.commit(index.writers, context.control)
            return Completion(result: .merge(result))
        }
    }

    private func open() throws -> StatisticsSum {
        var sum = StatisticsSum()
        let shelf = BlobShelf(context)
        for ordinal in work.groups {
            guard case .calibrate(let result)? = context.inputs[ordinal] else { throw missing(ordinal) }
            guard !result.statistics.isEmpty else { continue }
            try sum.append(BlobSource(result.statistics, name: "statistics", shelf: shelf))
        }
        return sum
    }

    /// Stores the vectors of all tensors that read one of the inputs.
    private func keepVectors(of statistics: ModelStatistics, _ vectors: inout [String: Digest]) throws {
        var writers: [PartWriter] = []
        var stored: Set<Digest> = []
        for (name, entry) in try statistics.imatrix(dataset: "").importanceMatrix().entries {
            let blob = try context.blobs.pieces(of: entry.bytes)
            // What is too large for a blob no target of the plan has asked for.
            guard let digest = blob.digests.first, blob.digests.count == 1 else { continue }
            // Tensors that read one input share their vectors.
            if stored.insert(digest).inserted { writers += blob.writers }
            vectors[name] = digest
        }
        try context.blobs.commit(writers, context.control)
    }

    private func missing(_ ordinal: Int) -> QuernError {
        StageContext.missing(ordinal, at: "statistics")
    }
}
