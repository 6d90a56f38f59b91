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
        let group = try ChunkGroup(work, stage: "calibration", in: context) {
            .calibrate(CalibrateResult(statistics: $0))
        }
        if let nothing = group.beyondText { return nothing }
        return try context.engine.withForwardEngine(on: work.forward ?? .cpu) { try run(group, on: $0) }
    }

    private func run(_ group: ChunkGroup, on engine: any ForwardEngine) throws -> StageOutcome {
        let model = try work.model.open()
        let decoder = try Decoder(model: model, threads: context.threads, engine: engine)
        let arithmetic = decoder.arithmetic
        let key = Digest.statisticsKey(work, of: group, arithmetic: arithmetic)
        if let known = try group.known(key) { return known }
        let tensors = Set(model.tensors.map(\.name))
        // Gram matrices take memory from here on.
        let collector = StatisticsCollector(
            inputs: decoder.graph.linearInputs, isTensor: { tensors.contains($0) }, chunks: group.chunks.count,
            processOutput: work.processOutput, gram: work.gramBlock)
        try decoder.observe(chunks: try group.tokens(), by: collector, progress: group.report)
        try work.model.checkUnchanged()
        let statistics = ModelStatistics(
            origin: ModelStatistics.Origin(
                architecture: model.architecture, files: model.files.map { "\($0.size) \($0.name)" },
                text: group.text.text, chunkTokens: work.chunkTokens),
            arithmetic: [arithmetic], chunks: group.chunks.count, inputs: try collector.finish())
        try statistics.checkFinite()
        return try group.keep(StatisticsFile.bytes(statistics), under: key)
    }
}

extension Digest {
    /// The name under which the statistics of a group are found again.
    static func statisticsKey(_ work: CalibrateWork, of group: ChunkGroup, arithmetic: String) -> Digest {
        let content = """
            quern-statistics
            tokens \(group.text.tokens.hex)
            text \(group.text.text.hex)
            chunk-tokens \(work.chunkTokens)
            chunks \(group.chunks.lowerBound) \(group.chunks.upperBound)
            process-output \(work.processOutput)
            gram \(work.gramBlock.map(String.init) ?? "none")
            arithmetic \(arithmetic)
            \(work.model.keyLines)

            """
        return Digest(of: Array(content.utf8))
    }
}
