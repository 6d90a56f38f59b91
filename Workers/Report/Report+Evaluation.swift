import QuernJobs

extension Report {
    /// How far the artifacts' predictions are from the source's.
    var evaluation: String {
        guard let evaluation = results.evaluation else { return "" }
        let lead =
            "\(evaluation.positions) positions of \(evaluation.chunks) chunks of \(evaluation.chunkTokens) tokens. "
            + "Perplexity of the source: \(Self.estimate(evaluation.perplexity, 4))."
        var content = HTML.element("p", [], HTML.escape(lead))
        guard !evaluation.candidates.isEmpty else { return HTML.section("Evaluation", content) }
        content += perplexities(evaluation) + divergences(evaluation) + layers(evaluation) + changes(evaluation)
        return HTML.section("Evaluation", content)
    }

    private func perplexities(_ evaluation: EvaluationSummary) -> String {
        HTML.table(
            ["Target", "Perplexity", "ln ratio", "Mean divergence", "RMS Δp", "Same top token"],
            evaluation.candidates.map { candidate in
                [
                    candidate.name, Self.estimate(candidate.perplexity, 4), Self.estimate(candidate.logRatio, 5),
                    Self.estimate(candidate.divergence.mean, 6),
                    Self.estimate(candidate.rootMeanSquareChange, 3, percent: true),
                    Self.estimate(candidate.sameTop, 3, percent: true),
                ].map(HTML.escape)
            })
    }

    private func divergences(_ evaluation: EvaluationSummary) -> String {
        guard let first = evaluation.candidates.first else { return "" }
        let percents = first.divergence.percentiles.map(\.percent)
        let places =
            ["min"] + percents.filter { $0 < 50 }.map(Self.percent) + ["50"]
            + percents.filter { $0 > 50 }.map(Self.percent) + ["max"]
        func values(_ distribution: Distribution) -> [Double] {
            let low = distribution.percentiles.filter { $0.percent < 50 }.map(\.value)
            let high = distribution.percentiles.filter { $0.percent > 50 }.map(\.value)
            return [distribution.minimum] + low + [distribution.median] + high + [distribution.maximum]
        }
        let chart = LineChart(
            lines: evaluation.candidates.map {
                LineChart.Line(name: $0.name, values: values($0.divergence))
            }, places: places, horizontal: "percent of positions", vertical: "KL divergence, nats")
        let table = HTML.table(
            ["KL divergence"] + places.map { $0.first?.isNumber == true ? "\($0) %" : $0 },
            evaluation.candidates.map { candidate in
                [HTML.escape(candidate.name)] + values(candidate.divergence).map { HTML.escape(Figure.short($0)) }
            })
        return HTML.element("h3", [], "Divergence from the source") + chart.svg() + table
    }

    private func layers(_ evaluation: EvaluationSummary) -> String {
        let count = evaluation.candidates.map(\.layerErrors.count).max() ?? 0
        let chart = LineChart(
            lines: evaluation.candidates.map { LineChart.Line(name: $0.name, values: $0.layerErrors) },
            places: (0..<count).map(String.init), horizontal: "layer",
            vertical: "Relative error of the hidden state after each layer"
        ).svg()
        return chart.isEmpty ? "" : HTML.element("h3", [], "Error layer by layer") + chart
    }

    private func changes(_ evaluation: EvaluationSummary) -> String {
        guard let first = evaluation.candidates.first else { return "" }
        let percents = first.probabilityChange.percentiles.map(\.percent)
        return HTML.element("h3", [], "Change of the true token’s probability, in percent")
            + HTML.table(
                ["Target", "mean", "min"] + percents.map { Self.percent($0) + " %" } + ["max"],
                evaluation.candidates.map { candidate in
                    let change = candidate.probabilityChange
                    let values =
                        [change.mean.value, change.minimum] + change.percentiles.map(\.value) + [change.maximum]
                    return [HTML.escape(candidate.name)] + values.map { HTML.escape(Figure.fixed($0 * 100, 3)) }
                })
    }

    private static func percent(_ percent: Double) -> String {
        percent == percent.rounded() ? Figure.fixed(percent, 0) : Figure.fixed(percent, 1)
    }

    private static func estimate(_ estimate: Estimate, _ digits: Int, percent: Bool = false) -> String {
        let factor = percent ? 100.0 : 1
        return Figure.fixed(estimate.value * factor, digits) + " ± " + Figure.fixed(estimate.error * factor, digits)
            + (percent ? " %" : "")
    }
}
