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
        let key = try Digest.factorKey(work, in: context)
        if let known = try context.known(key) {
            return StageOutcome { Completion(result: .factor(FactorResult(factor: known))) }
        }
        guard let gram = try work.input.statistics(in: context).gram else {
            throw QuernError(.invalidInput, "the statistics have no Gram matrix of it", at: work.input.tensor)
        }
        let balance = try work.balance.map {
            try Findings(context).balance(of: $0, channels: gram.layout.channels)
        }
        let blocks = try gram.layout.blocks.enumerated().map { index, columns in
            try context.control.check()
            do throws(QuernError) {
                guard work.unit > 0, columns.count % work.unit == 0 else {
                    throw QuernError(.invalidInput, "\(columns.count) inputs are not whole units of \(work.unit)")
                }
                guard work.run > 0, work.unit % work.run == 0 else {
                    throw QuernError(.invalidInput, "units of \(work.unit) inputs are not whole runs of \(work.run)")
                }
                return try Feedback.Block(
                    gram: gram.triangle(block: index), count: columns.count,
                    dividedBy: balance.map { Array($0[columns]) }, first: columns.lowerBound, unit: work.unit,
                    run: work.run, factoring: context.engine.factor)
            } catch {
                throw error.located(in: work.input.tensor)
            }
        }
        let pieces = try context.blobs.pieces(of: Feedback(blocks: blocks).bytes)
        return StageOutcome { [context] in
            try context.blobs.commit(pieces.writers, context.control)
            return Completion(
                result: .factor(FactorResult(factor: pieces.digests)),
                cache: context.entries(for: pieces, under: key))
        }
    }
}

extension Digest {
    /// The name under which a factor is found again.
    fileprivate static func factorKey(_ work: FactorWork, in context: StageContext) throws -> Digest {
        let balance = try work.balance.map { try Findings(context).vector(of: $0).hex }
        let content = """
            quern-factor
            encoder \(EncoderVersion.refined)
            statistics \(try context.merged(work.input.merged, at: work.input.tensor).sha256.hex)
            tensor \(work.input.tensor)
            matrix \(work.input.matrix)
            balance \(balance ?? "none")
            unit \(work.unit) \(work.run)

            """
        return Digest(of: Array(content.utf8))
    }
}

extension StatisticsReference {
    /// The sums about the input.
    /// - Throws: `.invalidInput` where the statistics have nothing about it.
    func statistics(in context: StageContext) throws -> InputStatistics {
        let result = try context.merged(merged, at: "statistics")
        let source = try BlobSource(result.statistics, name: "statistics", shelf: BlobShelf(context))
        return try StatisticsReader(source).statistics(ofTensor: tensor, matrix: matrix)
    }
}
