import Foundation
import QuernFormats
import QuernJobs

/// What tensors cost, by kind and layer, and which cost most.
struct CostMap {
    let probes: [TypeChoice.Probe]

    /// Rows of the table.
    private static let shown = 24

    var html: String {
        let types = Set(probes.map(\.type)).sorted { $0.rawValue < $1.rawValue }
        return types.map { map(of: $0) }.joined() + table
    }

    /// One for each type: what different types do is not compared by colours.
    private func map(of type: ElementType) -> String {
        let probes = probes.filter { $0.type == type }
        let grid = TensorGrid(probes, name: \.tensor)
        guard let scale = LogScale(probes.map(\.divergence)) else { return "" }
        // One unit for all, so that figures are short.
        let power = Int((log10(scale.most) / 3).rounded(.down)) * 3
        func figure(_ value: Double) -> String { Figure.short(value / pow(10, Double(power))) }
        func cell(_ probe: TypeChoice.Probe) -> HeatMap.Cell {
            let colour = scale.colour(probe.divergence)
            return HeatMap.Cell(
                fill: colour.fill, text: colour.text, label: figure(probe.divergence),
                title: "\(probe.tensor) in \(type): \(Figure.short(probe.divergence)) nats")
        }
        let unit = power == 0 ? "nats" : "nats · 1e\(power)"
        return HTML.caption("Divergence with a single tensor in \(type), \(unit)", key: scale.key(figure))
            + grid.map("Divergence with a single tensor in \(type), by kind of tensor and layer", cell: cell)
            + grid.beside(cell)
    }

    private var table: String {
        let sum = probes.reduce(0) { $0 + $1.divergence }
        let dearest = probes.enumerated()
            .sorted { ($1.element.divergence, $0.offset) < ($0.element.divergence, $1.offset) }.prefix(Self.shown)
        return HTML.element("h3", [], "Where bits count most")
            + HTML.table(
                ["Tensor", "Measured in", "Divergence", "Of all tensors’"],
                dearest.map { _, probe in
                    [
                        probe.tensor, "\(probe.type)", Figure.short(probe.divergence),
                        sum > 0 ? Figure.percent(probe.divergence / sum, 1) : "–",
                    ].map(HTML.escape)
                })
    }
}
