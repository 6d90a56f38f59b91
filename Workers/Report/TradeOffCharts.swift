import QuernFormats
import QuernJobs

/// Size against expected divergence, as a picture and as tables.
struct TradeOffCharts {
    let tradeOffs: TradeOffs

    /// An artifact or a size that is shown beside the curve.
    struct Mark {
        let point: TradeOffs.Point
        /// What it is: expected, found.
        let kind: String
    }

    /// - Parameters:
    ///   - marks: shown in the foreground.
    ///   - key: what they are.
    func chart(_ marks: [Mark], key: String) -> String {
        let curve = tradeOffs.curve
        let bytesPerBit = curve.last.map { Double($0.bytes) / max($0.bitsPerWeight, 0.001) } ?? 0
        return PointChart(
            series: [
                PointChart.Series(
                    name: "GGUF types chosen by cost, expected", form: .line, colour: 0,
                    points: curve.map { point($0, label: "", kind: "chosen by cost, expected") }),
                PointChart.Series(
                    name: "presets in their own types, expected", form: .rings, colour: 7,
                    points: tradeOffs.presets.map { point($0, label: $0.name ?? "", kind: "expected") }),
                PointChart.Series(
                    name: key, form: .discs, colour: 1,
                    points: marks.map { point($0.point, label: $0.point.name ?? "", kind: $0.kind) }),
            ], horizontal: "bits per weight; bytes of all tensors", vertical: "Mean KL divergence, nats",
            second: { Figure.bytes(UInt64(max(0, $0 * bytesPerBit))) }
        ).svg()
    }

    private func point(_ point: TradeOffs.Point, label: String, kind: String) -> PointChart.Point {
        let name = point.name.map { $0 + ", " } ?? ""
        return PointChart.Point(
            label: label,
            title: "\(name)\(Figure.fixed(point.bitsPerWeight, 2)) bits per weight, \(Figure.bytes(point.bytes)): "
                + "\(Figure.short(point.divergence)) nats, \(kind)",
            x: point.bitsPerWeight, y: point.divergence)
    }

    /// Every preset beside what chosen types come to in its bytes.
    var presetTable: String {
        guard !tradeOffs.presets.isEmpty else { return "" }
        return HTML.element("h3", [], "Presets, and types chosen for the same bytes")
            + HTML.table(
                [
                    "Preset", "Bytes of tensors", "Bits per weight", "Expected divergence", "With chosen types",
                    "Change",
                ],
                tradeOffs.presets.map { preset in
                    let chosen = expected(at: preset.bytes)
                    return [
                        preset.name ?? "", Figure.bytes(preset.bytes), Figure.fixed(preset.bitsPerWeight, 2),
                        Figure.short(preset.divergence), chosen.map(Figure.short) ?? "–",
                        chosen.flatMap { preset.divergence > 0 ? Figure.percent($0 / preset.divergence - 1, 0) : nil }
                            ?? "–",
                    ].map(HTML.escape)
                })
    }

    /// Of the largest place on the curve that takes no more bytes; nil where there is none.
    func expected(at bytes: UInt64) -> Double? { tradeOffs.curve.last { $0.bytes <= bytes }?.divergence }
}
