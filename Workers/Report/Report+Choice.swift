import QuernJobs

extension Report {
    /// How types were chosen by what they cost: what was expected of each size, and what was found.
    var choice: String {
        guard let choice = results.choice else { return "" }
        let charts = TradeOffCharts(tradeOffs: choice.tradeOffs)
        let expected = Dictionary(
            choice.targets.map { ($0.name ?? "", $0) }, uniquingKeysWith: { first, _ in first })
        let found = Dictionary(
            (results.evaluation?.candidates ?? []).map { ($0.name, $0.divergence.mean.value) },
            uniquingKeysWith: { first, _ in first })
        let marks = manifest.artifacts.compactMap { artifact -> TradeOffCharts.Mark? in
            let divergence = found[artifact.target] ?? expected[artifact.target]?.divergence
            return divergence.map {
                TradeOffCharts.Mark(
                    point: TradeOffs.Point(
                        name: artifact.target, bytes: artifact.tensors.reduce(0) { $0 &+ $1.bytes },
                        bitsPerWeight: artifact.bitsPerWeight, divergence: $0),
                    kind: found[artifact.target] == nil ? "expected" : "found")
            }
        }
        let rows = choice.targets.map { target in
            [
                target.name ?? "", Figure.bytes(target.bytes), Figure.fixed(target.bitsPerWeight, 2),
                Figure.short(target.divergence), found[target.name ?? ""].map(Figure.short) ?? "–",
            ].map(HTML.escape)
        }
        let lead =
            "Divergences are expected as the sum of what every tensor was measured to cost in its type"
            + (found.isEmpty ? "." : ", and found on the text of the evaluation.")
        return HTML.section(
            "Types chosen by measurement",
            HTML.element("p", [], HTML.escape(lead))
                + charts.chart(marks, key: found.isEmpty ? "artifacts, expected" : "artifacts, found")
                + HTML.table(["Target", "Bytes of tensors", "Bits per weight", "Expected divergence", "Found"], rows)
                + charts.presetTable + CostMap(probes: choice.probes).html)
    }
}
