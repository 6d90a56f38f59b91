import QuernFormats
import QuernJobs
import QuernModel
import QuernPlanning
import QuernStore

/// Runs a group of chunks through the model, unless somebody has done so before, and keeps the sums over what its
/// linear layers read.
struct CalibrateStage {
    let work: CalibrateWork
    let context: StageContext

    func run() throws -> StageOutcome {
        guard case .tokenize(let text)? = context.inputs[work.tokens] else {
            throw QuernError(.invalidInput, "the result of item \(work.tokens) is missing", at: "calibration")
        }
        let range = work.firstChunk..<min(work.firstChunk + work.maximumChunks, max(text.chunks, work.firstChunk))
        // The text ends before this group.
        guard !range.isEmpty else {
            return StageOutcome { Completion(result: .calibrate(CalibrateResult(statistics: []))) }
        }
        let model = try work.model.open()
        let decoder = try Decoder(model: model, threads: context.threads)
        let tensors = Set(model.tensors.map(\.name))
        let collector = StatisticsCollector(
            inputs: decoder.graph.linearInputs, isTensor: { tensors.contains($0) }, chunks: range.count,
            processOutput: work.processOutput, gram: work.gramBlock.map { ($0, decoder.engine) })
        let arithmetic = decoder.arithmetic
        let key = Digest.statisticsKey(work, text: text, chunks: range, arithmetic: arithmetic)
        if let known = try known(key) {
            return StageOutcome { Completion(result: .calibrate(CalibrateResult(statistics: [known.digest]))) }
        }
        let blob = try context.blobs.get(text.tokens, context.control)
        let chunks = try TokenChunks(blob: blob, chunkTokens: work.chunkTokens, chunks: range).chunks
        try decoder.observe(chunks: chunks, by: collector) { fraction in
            try context.control.check()
            context.control.fraction = fraction
        }
        try work.model.checkUnchanged()
        let statistics = ModelStatistics(
            origin: ModelStatistics.Origin(
                architecture: model.architecture, files: model.files.map { "\($0.size) \($0.name)" },
                text: text.text, chunkTokens: work.chunkTokens),
            arithmetic: [arithmetic], chunks: range.count, inputs: try collector.finish())
        try statistics.checkFinite()
        let made = try context.blobs.pieces(of: StatisticsFile.bytes(statistics))
        // A cache entry stands for one blob.
        let cache =
            context.lookUp != nil && made.parts.count == 1
            ? made.parts.map { Completion.CacheEntry(key: key, part: $0) } : []
        return StageOutcome { [context] in
            try context.blobs.commit(made.writers, context.control)
            return Completion(result: .calibrate(CalibrateResult(statistics: made.digests)), cache: cache)
        }
    }

    private func known(_ key: Digest) throws -> Part? {
        guard let part = try context.lookUp?([key])[key],
            try context.blobs.contains(part.digest, context.control)
        else { return nil }
        return part
    }
}

extension Digest {
    /// The name under which the statistics of a group are found again. Hashing a whole model for every group would cost
    /// more than it saves: its files stand for what they hold, as they do between planning and work.
    static func statisticsKey(
        _ work: CalibrateWork, text: TokenizeResult, chunks: Range<Int>, arithmetic: String
    ) -> Digest {
        let files = work.model.files.map { "\($0.size) \($0.modified) \($0.path)" }.joined(separator: "\n")
        let content = """
            quern-statistics
            tokens \(text.tokens.hex)
            text \(text.text.hex)
            chunk-tokens \(work.chunkTokens)
            chunks \(chunks.lowerBound) \(chunks.upperBound)
            process-output \(work.processOutput)
            gram \(work.gramBlock.map(String.init) ?? "none")
            arithmetic \(arithmetic)
            model \(work.model.identity.hex) \(work.model.path)
            \(files)

            """
        return Digest(of: Array(content.utf8))
    }
}
