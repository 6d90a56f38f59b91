import QuernFormats
import QuernJobs
import QuernPlanning
import Testing

/// Plans of targets whose methods ask what layers read.
enum MethodPlan {
    /// - Parameter path: of a checkpoint.
    static func plan(
        _ path: String, _ targets: [Recipe.Target], change: (inout Recipe) -> Void = { _ in }
    ) throws -> Plan {
        let text = CalibrationPlanTests.text
        var recipe = Recipe(source: path, name: "m", targets: targets, calibration: .init(text: text.path, chunks: 4))
        change(&recipe)
        return try Planner.plan(
            recipe: recipe, source: SourceModel.open(path: path), checkpoint: StoredCheckpoint.open(path: path),
            importance: nil, calibrationText: recipe.calibration == nil ? nil : text)
    }
}

extension Plan {
    /// `quantization_config` of the first folder.
    func quantizationConfig() throws -> JSONObject {
        let work = try #require(
            items.compactMap { item -> AssembleWork? in
                if case .assemble(let work) = item.payload, work.file.hasSuffix("/config.json") { work } else { nil }
            }.first)
        let bytes = try work.header.flatMap { try #require(blobs[$0]) }
        return try #require(try JSONValue.parse(bytes).object?["quantization_config"]?.object)
    }
}
