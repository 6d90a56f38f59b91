import Foundation
import QuernFormats
import QuernModel
import QuernPlanning
import QuernWorker

/// Calibration of a model, on the card and on the processor.
struct ModelFigures: Encodable {
    let tokens: Int
    /// Tokens per second.
    let card: Double
    let processor: Double
    /// Operations per second of the products with weights, by the card, each counted once: they take two or three of BF16.
    let operations: Double
}

struct ModelWorkload {
    let path: String
    let chunks: Int
    let threads: Int

    private static let chunkTokens = 512

    func measure(_ setup: Setup) throws -> ModelFigures {
        let model = try SourceModel.open(path: path)
        let tokens = chunks * Self.chunkTokens
        let card = try setup.engine.withForwardEngine(on: .cuda) { try seconds(model, on: $0) }
        let processor = try seconds(model, on: MatrixEngine())
        let weights = model.tensors.filter { $0.shape.count > 1 }.reduce(0) { $0 + $1.rows * $1.columns }
        return ModelFigures(
            tokens: tokens, card: Double(tokens) / card, processor: Double(tokens) / processor,
            operations: 2 * Double(weights) * Double(tokens) / card)
    }

    private func seconds(_ model: SourceModel, on engine: any ForwardEngine) throws -> Double {
        let decoder = try Decoder(model: model, threads: threads, engine: engine)
        let vocabulary = decoder.graph.vocabularySize
        let tokens = (0..<chunks).map { chunk in
            (0..<Self.chunkTokens).map { Int32(($0 * 7919 + chunk * 104_729) % vocabulary) }
        }
        let collector = StatisticsCollector(
            inputs: decoder.graph.linearInputs, isTensor: { _ in true }, chunks: chunks, processOutput: false)
        let begun = ContinuousClock.now
        try decoder.observe(chunks: tokens, by: collector) { _ in }
        _ = try collector.finish()
        return (ContinuousClock.now - begun) / .seconds(1)
    }
}
