import ArgumentParser
import Foundation
import QuernFormats
import QuernJobs

/// Text to calibrate on, and how much of it.
struct CalibrationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Text to compute an importance matrix from, before anything is encoded.", valueName: "text"),
        completion: .file())
    var calibration: String?

    @Option(help: ArgumentHelp("Chunks of the text to use; all otherwise.", valueName: "number"))
    var calibrationChunks: Int?

    @Option(help: ArgumentHelp("Tokens in a chunk; 512 otherwise.", valueName: "number"))
    var chunkTokens: Int?

    var isEmpty: Bool { calibration == nil && calibrationChunks == nil && chunkTokens == nil }

    /// - Parameter folder: where paths are meant from.
    func calibration(from folder: String) throws -> Recipe.Calibration? {
        guard let calibration else {
            guard calibrationChunks == nil, chunkTokens == nil else {
                throw QuernError(.usage, "no text to calibrate on", remedy: "Say --calibration TEXT")
            }
            return nil
        }
        return Recipe.Calibration(
            text: RecipeOptions.absolute(calibration, from: folder),
            chunkTokens: chunkTokens ?? Recipe.Calibration.usualChunkTokens, chunks: calibrationChunks)
    }
}
