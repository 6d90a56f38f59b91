import Foundation
import QuernFormats
import QuernJobs
import QuernModel
import QuernStore

/// Holds the artifacts' folders against what loaders expect, writes the report and then, last of all, the manifest: a
/// folder with a manifest is whole.
struct PublishStage {
    let work: PublishWork
    let context: StageContext

    func run() throws -> StageOutcome {
        guard let place = context.files?.place else {
            throw QuernError(.unsupported, "this worker has no place for artifacts", at: Manifest.fileName)
        }
        let manifest = try manifest()
        try check(manifest, in: place)
        let json = try manifest.json()
        let calibrated = try merged()
        let results = JobResults(
            evaluation: try evaluation(), coverage: calibrated?.coverage ?? [], choice: work.choice,
            warnings: calibrated?.warnings ?? [])
        let page = Array(Report(manifest: manifest, results: results).html().utf8)
        let reports =
            (results.isEmpty ? [] : [(JobResults.fileName, try results.json())])
            + (try costs().map { [(SensitivityFile.fileName, try $0.json())] } ?? []) + [(Report.fileName, page)]
        let result = PublishResult(
            sha256: Digest(of: json), size: UInt64(json.count),
            reports: reports.map { .init(name: $0, sha256: Digest(of: $1), size: UInt64($1.count)) },
            evaluation: results.evaluation)
        return StageOutcome {
            for (name, bytes) in reports { try place.write(bytes, as: name) }
            try place.write(json, as: Manifest.fileName)
            return Completion(result: .publish(result))
        }
    }

    /// No folder of safetensors gets a manifest that loaders would stumble over.
    private func check(_ manifest: Manifest, in place: any ArtifactPlace) throws {
        let folders = manifest.artifacts.compactMap { CompressedVerifier($0, in: place) }
        try Parallel.forEach(folders.count, threads: context.threads) { [context] index in
            try folders[index].check { _ in try context.control.check() }
        }
    }

    private func manifest() throws -> Manifest {
        let recipe: Recipe
        do {
            recipe = try JSONDecoder().decode(Recipe.self, from: Data(work.recipe.utf8))
        } catch let error as DecodingError {
            throw QuernError(.invalidInput, error.explanation, at: "recipe")
        }
        return Manifest(
            encoder: work.encoder, statistics: try statistics(), recipe: recipe,
            sources: try work.sources.map { source in
                guard case .digest(let result)? = context.inputs[source.ordinal] else {
                    throw missing(source.ordinal)
                }
                return Manifest.Source(name: source.name, size: result.size, sha256: result.sha256)
            },
            artifacts: try work.artifacts.map { artifact in
                Manifest.Artifact(target: artifact.target, files: try artifact.files.map(file))
            })
    }

    /// The scores of all groups, joined in the order of the text.
    private func evaluation() throws -> EvaluationSummary? {
        guard let reference = work.evaluation else { return nil }
        var scores = PositionScores(candidates: work.artifacts.count)
        var chunks = 0
        for ordinal in reference.groups {
            guard case .evaluate(let result)? = context.inputs[ordinal] else { throw missing(ordinal) }
            guard !result.scores.isEmpty else { continue }
            let bytes = try result.scores.flatMap { try context.blobs.get($0, context.control) }
            let group = try PositionScores.parse(bytes)
            guard group.scores.candidates.count == work.artifacts.count else { throw missing(ordinal) }
            scores.append(group.scores)
            chunks += group.chunks
        }
        return try scores.summary(
            names: work.artifacts.map(\.target), chunks: chunks, chunkTokens: reference.chunkTokens)
    }

    private func costs() throws -> SensitivityFile? {
        guard let costs = work.costs else { return nil }
        guard case .collect(let result)? = context.inputs[costs] else { throw missing(costs) }
        return result.costs
    }

    private func statistics() throws -> Digest? { try merged()?.sha256 ?? work.statistics }

    private func merged() throws -> MergeResult? {
        guard let merged = work.merged else { return nil }
        guard case .merge(let result)? = context.inputs[merged] else { throw missing(merged) }
        return result
    }

    private func file(_ ordinal: Int) throws -> Manifest.File {
        guard case .assemble(let result)? = context.inputs[ordinal] else { throw missing(ordinal) }
        return Manifest.File(
            name: result.file, size: result.size, sha256: result.sha256, tensors: result.tensors)
    }

    private func missing(_ ordinal: Int) -> QuernError {
        StageContext.missing(ordinal, at: Manifest.fileName)
    }
}
