import QuernFormats
import QuernJobs
import QuernKernels
import QuernModel
import QuernStore

/// Factors the Gram matrix of an input, block by block.
struct FactorStage {
    let work: FactorWork
    let context: StageContext

    func run() throws -> StageOutcome {
        guard let gram = try work.input.statistics(in: context).gram else {
            throw QuernError(.invalidInput, "the statistics have no Gram matrix of it", at: work.input.tensor)
        }
        let blocks = try gram.layout.blocks.enumerated().map { index, columns in
            try context.control.check()
            do throws(QuernError) {
                return try Feedback.Block(
                    gram: gram.square(block: index), count: columns.count, first: columns.lowerBound)
            } catch {
                throw error.located(in: work.input.tensor)
            }
        }
        let pieces = try context.blobs.pieces(of: Feedback(blocks: blocks).bytes)
        return StageOutcome { [context] in
            try context.blobs.commit(pieces.writers, context.control)
            return Completion(result: .factor(FactorResult(factor: pieces.digests)))
        }
    }
}

extension StatisticsReference {
    /// The sums about the input.
    /// - Throws: `.invalidInput` where the statistics have nothing about it.
    func statistics(in context: StageContext) throws -> InputStatistics {
        guard case .merge(let result)? = context.inputs[merged] else {
            throw QuernError(.invalidInput, "the result of item \(merged) is missing", at: "statistics")
        }
        let source = try BlobSource(result.statistics, name: "statistics", shelf: BlobShelf(context))
        return try StatisticsReader(source).statistics(ofTensor: tensor, matrix: matrix)
    }
}
