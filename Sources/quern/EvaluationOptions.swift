import ArgumentParser
import Foundation
import QuernFormats
import QuernJobs

/// Text to judge artifacts by, and how much of it.
struct EvaluationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Text to compare the artifacts with the source by, once they are written.", valueName: "text"),
        completion: .file())
    var evaluation: String?

    @Option(help: ArgumentHelp("Chunks of the evaluation text to take; all otherwise.", valueName: "number"))
    var evaluationChunks: Int?

    var isEmpty: Bool { evaluation == nil && evaluationChunks == nil }

    /// - Parameter folder: where paths are meant from.
    func evaluation(from folder: String) throws -> Recipe.Evaluation? {
        guard let evaluation else {
            guard evaluationChunks == nil else {
                throw QuernError(.usage, "no text to evaluate on", remedy: "Say --evaluation TEXT")
            }
            return nil
        }
        return Recipe.Evaluation(
            text: RecipeOptions.absolute(evaluation, from: folder), chunks: evaluationChunks)
    }
}
