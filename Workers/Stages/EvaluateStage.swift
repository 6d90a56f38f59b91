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
        let group = try ChunkGroup(work, stage: "evaluation", in: context) { .evaluate(EvaluateResult(scores: $0)) }
        if let nothing = group.beyondText { return nothing }
        let files = try work.candidates.map { try $0.files.map(assembled) }
        let source = try work.model.open()
        let candidates = try files.map { try SourceModel.open(path: try path(of: $0)) }
        return try context.engine.withForwardEngine(on: work.forward ?? .cpu) { engine in
            let evaluator = try Evaluator(
                reference: source, candidates: candidates, threads: context.threads, engine: engine)
            let key = Digest.scoresKey(work, of: group, files: files, arithmetic: evaluator.arithmetic)
            if let known = try group.known(key) { return known }
            let scores = try evaluator.scores(
                of: try group.tokens(), from: group.chunks.lowerBound, progress: group.report)
            try work.model.checkUnchanged()
            return try group.keep(scores.bytes(chunks: group.chunks.count), under: key)
        }
    }

    private func assembled(_ ordinal: Int) throws -> AssembleResult {
        guard case .assemble(let result)? = context.inputs[ordinal] else {
            throw StageContext.missing(ordinal, at: "evaluation")
        }
        return result
    }

    /// What leads to all files of an artifact: the first of them, or the folder they are in.
    private func path(of files: [AssembleResult]) throws -> String {
        guard let place = context.files?.place, let first = files.first else {
            throw QuernError(.unsupported, "this worker has no place for artifacts", at: "evaluation")
        }
        let parent = first.file.lastIndex(of: "/").map { String(first.file[..<$0]) }
        return try place.path(of: parent ?? first.file)
    }
}

extension Digest {
    /// The name under which the scores of a group are found again.
    static func scoresKey(
        _ work: EvaluateWork, of group: ChunkGroup, files: [[AssembleResult]], arithmetic: String
    ) -> Digest {
        let candidates = files.map { $0.map(\.sha256.hex).joined(separator: " ") }
        let content = """
            quern-scores
            tokens \(group.text.tokens.hex)
            chunk-tokens \(work.chunkTokens)
            chunks \(group.chunks.lowerBound) \(group.chunks.upperBound)
            arithmetic \(arithmetic)
            \(work.model.keyLines)
            candidates
            \(candidates.joined(separator: "\n"))

            """
        return Digest(of: Array(content.utf8))
    }
}
