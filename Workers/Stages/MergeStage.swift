import Foundation
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
        let groups = try work.groups.map { ordinal in
            guard case .calibrate(let result)? = context.inputs[ordinal] else { throw missing(ordinal) }
            return result
        }
        let key = try Digest.key("quern-statistics", of: [text] + groups)
        if let known = try known(key) { return StageOutcome { Completion(result: .merge(known)) } }
        let sum = try open(groups)
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
        let kept = try context.blobs.pieces(of: [UInt8](result.sortedJSON))
        return StageOutcome { [context] in
            try context.blobs.commit(index.writers + kept.writers, context.control)
            return Completion(result: .merge(result), cache: context.entries(for: kept, under: key))
        }
    }

    /// What another job has made of the same groups, if all of it is still there.
    private func known(_ key: Digest) throws -> MergeResult? {
        guard let blobs = try context.known(key) else { return nil }
        let bytes = try blobs.flatMap { try context.blobs.get($0, context.control) }
        let result = try JSONDecoder().decode(MergeResult.self, from: Data(bytes))
        func isThere(_ digest: Digest) throws -> Bool { try context.blobs.contains(digest, context.control) }
        guard try result.statistics.allSatisfy(isThere), try isThere(result.index) else { return nil }
        let vectors = try VectorIndex(bytes: context.blobs.get(result.index, context.control)).vectors
        return try vectors.values.allSatisfy(isThere) ? result : nil
    }

    private func open(_ groups: [CalibrateResult]) throws -> StatisticsSum {
        var sum = StatisticsSum()
        let shelf = BlobShelf(context)
        for result in groups where !result.statistics.isEmpty {
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
