import QuernFormats
import QuernJobs
import QuernStore

/// Small jobs for tests of job stores.
enum Sample {
    static func digest(_ text: String) -> Digest { Digest(of: Array(text.utf8)) }

    static let recipe = Recipe(source: "/models/tiny", targets: [Recipe.Target(gguf: "Q8_0")])

    static func encode(cost: Int64 = 10, memory: Int64 = 1, after dependencies: [Int] = [], label: String = "span")
        -> PlannedItem
    {
        PlannedItem(
            payload: .encode(EncodeWork(files: [], spans: [], encoder: "reference-1")), cost: cost, memory: memory,
            dependencies: dependencies, label: label)
    }

    static let costs = SensitivityFile(
        source: "tiny", encoder: EncoderVersion.refined, text: "t.txt", chunkTokens: 512, chunks: 2,
        tensors: [
            TensorCosts(
                tensor: "t", probe: .q3_K, divergence: 0.5, types: [.init(type: .q2_K, bytes: 84, divergence: 1)],
                schemes: [.init(scheme: "W4A16_GPTQ", divergence: 0.25)])
        ])

    static func collect(after dependencies: [Int]) -> PlannedItem {
        PlannedItem(
            payload: .collect(
                CollectWork(
                    source: "tiny", encoder: EncoderVersion.refined, text: "t.txt", chunkTokens: 512, maximumChunks: 2,
                    tokens: 0, measured: [])),
            cost: 1, memory: 1, dependencies: dependencies, label: "collect")
    }

    static func publish(after dependencies: [Int]) -> PlannedItem {
        PlannedItem(
            payload: .publish(
                PublishWork(recipe: "{}", encoder: "reference-1", statistics: nil, sources: [], artifacts: [])),
            cost: 1, memory: 1, dependencies: dependencies, label: "manifest.json")
    }

    /// `spans` encode items and a publish item that waits for them all.
    static func job(
        _ id: String, spans: Int = 3, cost: Int64 = 10, priority: Int = 0, key: String? = nil
    ) -> NewJob {
        let items = (0..<spans).map { encode(cost: cost, label: "span \($0)") } + [publish(after: Array(0..<spans))]
        return job(id, items: items, priority: priority, key: key)
    }

    static func job(_ id: String, items: [PlannedItem], priority: Int = 0, key: String? = nil) -> NewJob {
        NewJob(
            id: JobID(rawValue: id), name: "tiny", recipe: recipe, priority: priority, idempotencyKey: key,
            items: items,
            artifacts: [PlannedArtifact(target: "Q8_0", files: [.init(name: "tiny-Q8_0.gguf", bytes: 1000)])])
    }

    /// A completion whose one part is named after `text`.
    static func completion(_ text: String) -> Completion {
        let part = part(text)
        return Completion(
            result: .encode(EncodeResult(parts: [part])), cache: [.init(key: digest("key of \(text)"), part: part)])
    }

    static func part(_ text: String) -> Part {
        Part(digest: digest(text), bytes: 34, squaredError: 0.25, squaredNorm: 4)
    }

    static func failure(_ kind: WorkFailure.Class, _ message: String = "went wrong", blobs: [Digest] = [])
        -> WorkFailure
    {
        WorkFailure(class: kind, message: message, blobs: blobs)
    }
}
