import QuernFormats
import QuernJobs
import QuernModel
import QuernPlanning
import QuernStore

/// Cuts a text into chunks of tokens.
struct TokenizeStage {
    let work: TokenizeWork
    let context: StageContext

    func run() throws -> StageOutcome {
        let file = try SourceFiles.openUnchanged(work.text)
        let text = try file.bytes(at: 0, count: Int(clamping: file.size))
        _ = try SourceFiles.openUnchanged(work.text)
        try work.model.checkUnchanged()
        let tokenizer = try Tokenizer.open(path: work.model.path)
        try context.control.check()
        let ids = try tokenizer.encode(utf8: text) { fraction in
            try context.control.check()
            context.control.fraction = fraction
        }
        let tokens = try TokenChunks(
            ids, beginning: tokenizer.beginsWith, chunkTokens: work.chunkTokens, maximumChunks: work.maximumChunks,
            text: work.text.path)
        let blob = try context.blobs.pieces(of: tokens.bytes)
        guard let digest = blob.digests.first, blob.digests.count == 1 else {
            throw QuernError(.unsupported, "its tokens do not fit one blob", at: work.text.path)
        }
        let result = TokenizeResult(
            tokens: digest, chunks: tokens.chunks.count, text: Digest(of: text),
            distinctTokens: Set(tokens.chunks.joined()).count, vocabulary: tokenizer.vocabularySize)
        return StageOutcome { [context] in
            try context.blobs.commit(blob.writers, context.control)
            return Completion(result: .tokenize(result))
        }
    }
}

extension ModelReference {
    /// The model, as it was when the job was planned.
    /// - Throws: `.conflict` where it is not, and what opening throws.
    func open() throws -> SourceModel {
        try checkUnchanged()
        let model = try SourceModel.open(path: path)
        guard model.files == files, model.identity == identity else {
            throw QuernError(
                .conflict, "the model is not what it was when the job was planned", at: path,
                remedy: "Submit the job again for the new content")
        }
        return model
    }

    /// - Throws: `.conflict` where a file is not what it was when the job was planned, `.notFound` where it is gone.
    func checkUnchanged() throws {
        for file in files { _ = try SourceFiles.openUnchanged(file) }
    }
}
