import Foundation
import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore

extension FuzzTarget {
    /// As YAML; what was read is written, read again and planned.
    static let recipe = FuzzTarget("recipe") { bytes in
        let recipe = try Recipe(yaml: String(decoding: bytes, as: UTF8.self))
        let yaml = try recipe.yaml()
        guard try Recipe(yaml: yaml).yaml() == yaml else { throw FuzzFault("it is another one once it was written") }
        try plan(recipe)
    }

    /// What layers cost, as a file that types are chosen by.
    static let sensitivity = FuzzTarget("sensitivity") { bytes in
        let costs = try SensitivityFile.parse(bytes, name: "sensitivity.json")
        let targets = ["size:1MB", "bpw:4.5", "Q4_K_M:dynamic"].map { Recipe.Target(gguf: $0) }
        try plan(Recipe(source: "/model", targets: targets), by: costs)
        try plan(Recipe(source: "/model", targets: [.init(compressedTensors: "W4A16:bpw:9")]), by: costs)
        _ = try costs.json()
    }

    /// The body of a request; the first byte says of which.
    static let http = FuzzTarget("http") { bytes in
        guard let first = bytes.first else { return }
        let body = Array(bytes.dropFirst())
        switch first {
        case UInt8(ascii: "J"):
            let submission = try RequestJSON.decode(Wire.SubmissionBody.self, from: body)
            try encode(submission.recipe)
            try plan(submission.recipe)
        case UInt8(ascii: "S"): try encode(RequestJSON.decode(SessionRequest.self, from: body))
        case UInt8(ascii: "H"): try encode(RequestJSON.decode(HeartbeatReport.self, from: body))
        case UInt8(ascii: "W"): try encode(RequestJSON.decode(Wire.ClaimRequest.self, from: body))
        case UInt8(ascii: "C"):
            let body = try RequestJSON.decode(Wire.Complete.self, from: body)
            try encode(body)
            guard case .collect(let collected) = body.completion.result else { return }
            try plan(Recipe(source: "/model", targets: [.init(gguf: "bpw:4.5")]), by: collected.costs)
        case UInt8(ascii: "F"): try encode(RequestJSON.decode(Wire.Fail.self, from: body))
        case UInt8(ascii: "R"): try encode(RequestJSON.decode(Wire.Release.self, from: body))
        case UInt8(ascii: "L"): try encode(RequestJSON.decode(Wire.LookUp.self, from: body))
        default: return
        }
    }

    /// What is stored as JSON must have a JSON form.
    private static func encode(_ value: some Encodable) throws { _ = try JSONEncoder().encode(value) }

    /// Plans a recipe for a model that is at hand, whatever it names.
    private static func plan(_ recipe: Recipe, by costs: SensitivityFile? = nil) throws {
        let isStored = recipe.targets.contains { if case .compressedTensors = $0 { true } else { false } }
        let folder = SampleCheckpoint.folder()
        let text = SourceFile(path: "/text.txt", name: "text.txt", size: 1 << 20, modified: 1)
        _ = try Planner.plan(
            recipe: recipe, source: SourceModel.checkpoint(Checkpoint.open(folder)),
            checkpoint: isStored && recipe.pruneLayers.isEmpty ? StoredCheckpoint.open(Checkpoint.open(folder)) : nil,
            importance: recipe.imatrix.map { _ in
                ImportanceMatrix(
                    entries: ["blk.0.attn_q.weight": .init(values: Array(repeating: 1, count: 256), matrices: 1)],
                    datasets: ["text.txt"], chunkCount: 2)
            },
            calibrationText: recipe.calibration.map { _ in text }, evaluationText: recipe.evaluation.map { _ in text },
            sensitivity: costs)
    }
}
