import QuernJobs
import QuernPlanning

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
