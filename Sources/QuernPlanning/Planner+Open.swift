import Foundation
import QuernFormats
import QuernJobs
import QuernStore

extension Planner {
    /// Reads what a recipe names - the headers of its source, its importance matrix, how large its texts are - and
    /// plans its targets. Blocking.
    /// - Throws: what opening and planning throw; `.notFound` for a text that is not there.
    public static func plan(_ recipe: Recipe) throws -> Plan {
        let source = try SourceModel.open(path: recipe.source)
        let importance = try recipe.imatrix.map { try ImportanceMatrix.read(path: $0) }
        return try plan(
            recipe: recipe, source: source, importance: importance,
            calibrationText: try recipe.calibration.map { SourceFile(try FileByteSource(path: $0.text)) },
            evaluationText: try recipe.evaluation.map { SourceFile(try FileByteSource(path: $0.text)) })
    }
}
