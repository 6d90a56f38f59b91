import QuernFormats
import QuernJobs
import QuernModel
import QuernPlanning
import QuernStore

/// Runs a group of chunks through the source and all artifacts, unless somebody has done so before, and keeps the
/// scores of every position.
struct EvaluateStage {
    let work: EvaluateWork
    let context: StageContext

    func run() throws -> StageOutcome {
        guard case .tokenize(let text)? = context.inputs[work.tokens] else {
            throw QuernError(.invalidInput, "the result of item \(work.tokens) is missing", at: "evaluation")
        }
        let range = work.firstChunk..<min(work.firstChunk + work.maximumChunks, max(text.chunks, work.firstChunk))
        // The text ends before this group.
        guard !range.isEmpty else {
            return StageOutcome { Completion(result: .evaluate(EvaluateResult(scores: []))) }
        }
        let files = try work.candidates.map { try $0.files.map(assembled) }
        let source = try work.model.open()
        let candidates = try files.map { try SourceModel.open(path: try path(of: $0)) }
        let evaluator = try Evaluator(reference: source, candidates: candidates, threads: context.threads)
        let key = Digest.scoresKey(
            work, text: text, chunks: range, files: files, arithmetic: evaluator.arithmetic)
        if let known = try known(key) {
            return StageOutcome { Completion(result: .evaluate(EvaluateResult(scores: [known.digest]))) }
        }
        let blob = try context.blobs.get(text.tokens, context.control)
        let chunks = try TokenChunks(blob: blob, chunkTokens: work.chunkTokens, chunks: range).chunks
        let scores = try evaluator.scores(of: chunks) { fraction in
            try context.control.check()
            context.control.fraction = fraction
        }
        try work.model.checkUnchanged()
        return try keep(scores.bytes(chunks: chunks.count), key)
    }

    private func keep(_ bytes: [UInt8], _ key: Digest) throws -> StageOutcome {
        let made = try context.blobs.pieces(of: bytes)
        // A cache entry stands for one blob.
        let cache =
            context.lookUp != nil && made.parts.count == 1
            ? made.parts.map { Completion.CacheEntry(key: key, part: $0) } : []
        return StageOutcome { [context] in
            try context.blobs.commit(made.writers, context.control)
            return Completion(result: .evaluate(EvaluateResult(scores: made.digests)), cache: cache)
        }
    }

    private func assembled(_ ordinal: Int) throws -> AssembleResult {
        guard case .assemble(let result)? = context.inputs[ordinal] else {
            throw QuernError(.invalidInput, "the result of item \(ordinal) is missing", at: "evaluation")
        }
        return result
    }

    /// The first file of an artifact; it leads to the others.
    private func path(of files: [AssembleResult]) throws -> String {
        guard let folder = context.files?.folder, let first = files.first else {
            throw QuernError(.unsupported, "this worker has no folder for artifacts", at: "evaluation")
        }
        return try folder.path(of: first.file)
    }

    private func known(_ key: Digest) throws -> Part? {
        guard let part = try context.lookUp?([key])[key],
            try context.blobs.contains(part.digest, context.control)
        else { return nil }
        return part
    }
}

extension Digest {
    /// The name under which the scores of a group are found again.
    static func scoresKey(
        _ work: EvaluateWork, text: TokenizeResult, chunks: Range<Int>, files: [[AssembleResult]], arithmetic: String
    ) -> Digest {
        let sources = work.model.files.map { "\($0.size) \($0.modified) \($0.path)" }
        let candidates = files.map { $0.map(\.sha256.hex).joined(separator: " ") }
        let content = """
            quern-scores
            tokens \(text.tokens.hex)
            chunk-tokens \(work.chunkTokens)
            chunks \(chunks.lowerBound) \(chunks.upperBound)
            arithmetic \(arithmetic)
            model \(work.model.identity.hex) \(work.model.path)
            \(sources.joined(separator: "\n"))
            candidates
            \(candidates.joined(separator: "\n"))

            """
        return Digest(of: Array(content.utf8))
    }
}
