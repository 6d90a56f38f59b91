import Foundation
import QuernJobs

extension Report {
    /// Which experts calibration reached, and how often.
    var coverage: String {
        let layers = results.coverage.filter { !$0.tokens.isEmpty }
        guard let experts = layers.map(\.tokens.count).max() else { return "" }
        let most = Double(layers.flatMap(\.tokens).max() ?? 0)
        let untouched = layers.reduce(0) { $0 + $1.tokens.count { $0 == 0 } }
        let total = layers.reduce(0) { $0 + $1.tokens.count }
        let lead =
            untouched == 0
            ? "Every one of \(total) experts saw tokens."
            : "\(untouched) of \(total) experts saw no token: their tensors are encoded without importance."
        let map = HeatMap(
            rows: layers.map { "layer \($0.layer)" }, columns: (0..<experts).map(String.init),
            cells: layers.map { layer in
                (0..<experts).map { expert in
                    guard expert < layer.tokens.count else { return nil }
                    return Self.cell(layer.tokens[expert], most: most, "layer \(layer.layer), expert \(expert)")
                }
            }, description: "Tokens by layer and expert")
        return HTML.section("Expert coverage", HTML.element("p", [], HTML.escape(lead)) + map.svg())
    }

    private static func cell(_ tokens: Int, most: Double, _ place: String) -> HeatMap.Cell {
        let colour =
            tokens == 0
            ? (fill: "#d0342c", text: "#fff")
            : ColourScale.bits.colour(at: most > 1 ? log(Double(tokens)) / log(most) : 1)
        return HeatMap.Cell(
            fill: colour.fill, text: colour.text, label: String(tokens), title: "\(place): \(tokens) tokens")
    }
}
