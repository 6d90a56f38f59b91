import Foundation
import QuernCUDA

struct Report {
    let card: CUDADevice
    let limits: Limits
    var types: [TypeFigures] = []
    var refined: [SchemeFigures] = []
    var schemes: [SchemeFigures] = []
    var model: ModelFigures?

    init(card: CUDADevice, limits: Limits) { (self.card, self.limits) = (card, limits) }

    /// Above the lines of types.
    static var header: String {
        let columns = ["bus", "card", "weighted", "core", "weighted", "cores"]
        return "Millions of weights per second; weighted: with importance; cores: how many the card is worth then.\n"
            + "type      " + columns.map { String(repeating: " ", count: 10 - $0.count) + $0 }.joined()
    }

    func line(_ type: TypeFigures) -> String {
        func number(_ value: Double) -> String { String(format: "%10.1f", value) }
        return type.name.padding(toLength: 10, withPad: " ", startingAt: 0)
            + [type.floor, type.card, type.cardWithImportance, type.core, type.coreWithImportance].map(number).joined()
            + String(format: "%10.0f", type.cardWithImportance / type.coreWithImportance)
            + (type.isEqual ? "" : "  OTHER BYTES")
    }

    func line(_ scheme: SchemeFigures) -> String {
        func number(_ value: Double?) -> String { value.map { String(format: "%10.1f", $0) } ?? "         -" }
        return scheme.name.padding(toLength: 15, withPad: " ", startingAt: 0)
            + [scheme.floor, scheme.card, scheme.core].map(number).joined()
            + String(format: "%10.0f", scheme.card / scheme.core) + (scheme.isEqual ? "" : "  OTHER BYTES")
    }

    /// What the card can do, and a model on it.
    func summary() -> String {
        let rate = { (value: Double) in String(format: "%.1f", value * 1e-9) }
        var lines = [
            "\(card.label): \(rate(limits.toCard)) GB/s to it, \(rate(limits.fromCard)) GB/s back, "
                + "\(rate(limits.memory)) GB/s in its memory; \(rate(limits.bfloat16)) GFLOP/s of BF16, "
                + "\(rate(limits.float)) of F32"
        ]
        if let model {
            lines.append(
                String(
                    format:
                        "calibration: %.0f tokens per second, %.0f on the processor; products with weights %@ GFLOP/s",
                    model.card, model.processor, rate(model.operations)))
        }
        return lines.joined(separator: "\n")
    }

    func json() throws -> String {
        struct Content: Encodable {
            let card: String
            let limits: Limits
            let types: [TypeFigures]
            let refined: [SchemeFigures]
            let schemes: [SchemeFigures]
            let model: ModelFigures?
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let content = Content(
            card: card.label, limits: limits, types: types, refined: refined, schemes: schemes, model: model)
        return String(decoding: try encoder.encode(content), as: UTF8.self)
    }
}
