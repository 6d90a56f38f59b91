import QuernFormats
import QuernJobs
import QuernStore

/// What merge items of the same job say about importance, put in the place of references to it.
struct MergedVectors {
    private let indices: [Int: VectorIndex]
    /// Of the indices' blobs: making them again brings the vectors back.
    private let digests: [Digest]

    /// Reads the indices that spans ask for.
    init(_ spans: [Span], context: StageContext) throws {
        let items = spans.flatMap(\.outputs).compactMap { output -> Int? in
            if case .merged(let item, _)? = output.importance?.vectors { item } else { nil }
        }
        var indices: [Int: VectorIndex] = [:]
        var digests: [Digest] = []
        for item in Set(items) {
            let result = try context.merged(item, at: "importance")
            indices[item] = try VectorIndex(bytes: context.blobs.get(result.index, context.control))
            digests.append(result.index)
        }
        self.indices = indices
        self.digests = digests
    }

    /// The span with blobs for importance.
    /// - Throws: `.invalidInput` where the statistics have nothing for its tensor.
    func resolve(_ span: Span) throws -> Span {
        guard !indices.isEmpty else { return span }
        var span = span
        span.outputs = try span.outputs.map { output in
            guard let importance = output.importance, case .merged(let item, let tensor) = importance.vectors else {
                return output
            }
            guard let digest = indices[item]?.vectors[tensor] else {
                throw QuernError(.invalidInput, "the statistics have nothing for it", at: tensor)
            }
            var resolved = output
            resolved.importance = importance.resolved(digest)
            return resolved
        }
        return span
    }

    /// Runs `body`; where it finds that vectors are lost, the error names what brings them back, too.
    func healing<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let lost as LostBlobs {
            let known = Set(indices.values.flatMap(\.vectors.values))
            guard lost.digests.contains(where: known.contains) else { throw lost }
            throw LostBlobs(digests: lost.digests + digests, reason: lost.reason)
        }
    }
}
