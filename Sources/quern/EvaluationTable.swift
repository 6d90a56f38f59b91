import Foundation
import QuernJobs

/// An evaluation as people read it.
struct EvaluationTable {
    let text: String

    init(_ summary: EvaluationSummary, text file: String) {
        let name = URL(fileURLWithPath: file).lastPathComponent
        let lead =
            "\(name): \(summary.chunks) chunks of \(summary.chunkTokens) tokens, \(summary.positions) positions scored"
        let own = ["Perplexity, reference"] + Self.estimate(summary.perplexity, 6)
        guard !summary.candidates.isEmpty else {
            text = lead + "\n\n" + Console.table([["Perplexity"] + own.dropFirst()], rightAligned: [1, 3])
            return
        }
        text = lead + "\n\n" + summary.candidates.map { Self.candidate($0, own) }.joined(separator: "\n\n")
    }

    /// A line for each candidate.
    static func overview(_ summary: EvaluationSummary) -> String {
        let head = ["", "perplexity", "KL divergence", "same top token"]
        let rows = summary.candidates.map { candidate in
            [candidate.name, short(candidate.perplexity, 4), short(candidate.divergence.mean, 6)]
                + [short(candidate.sameTop, 2, factor: 100) + " %"]
        }
        let source = ["source", short(summary.perplexity, 4), "", ""]
        return Console.table([head, source] + rows, rightAligned: [1, 2, 3])
    }

    private static func short(_ estimate: Estimate, _ digits: Int, factor: Double = 1) -> String {
        Self.estimate(estimate, digits, factor: factor).joined(separator: " ")
    }

    private static func candidate(_ candidate: CandidateSummary, _ reference: [String]) -> String {
        let estimates = [
            reference, ["Perplexity, candidate"] + estimate(candidate.perplexity, 6),
            ["  ln(candidate / reference)"] + estimate(candidate.logRatio, 6),
            ["  candidate / reference"] + estimate(candidate.ratio, 6),
            ["  candidate − reference"] + estimate(candidate.difference, 6),
            ["  correlation"] + [Console.fixed(candidate.correlation * 100, digits: 2), "", "", "%"],
            ["KL divergence"] + estimate(candidate.divergence.mean, 6) + ["nats"],
            ["Δp of the true token"] + estimate(candidate.probabilityChange.mean, 3, factor: 100) + ["%"],
            ["  root mean square"] + estimate(candidate.rootMeanSquareChange, 3, factor: 100) + ["%"],
            ["Same top token"] + estimate(candidate.sameTop, 3, factor: 100) + ["%"],
        ]
        var parts = [
            Console.table(estimates, rightAligned: [1, 3]),
            distributions(candidate),
        ]
        if !candidate.layerErrors.isEmpty { parts.append(layers(candidate.layerErrors)) }
        return parts.joined(separator: "\n\n")
    }

    private static func estimate(_ estimate: Estimate, _ digits: Int, factor: Double = 1) -> [String] {
        [
            Console.fixed(estimate.value * factor, digits: digits), "±",
            Console.fixed(estimate.error * factor, digits: digits),
        ]
    }

    /// Percentiles of both quantities, lowest first.
    private static func distributions(_ candidate: CandidateSummary) -> String {
        func values(_ distribution: Distribution) -> [(place: String, value: Double)] {
            func part(_ isWanted: (Double) -> Bool) -> [(place: String, value: Double)] {
                distribution.percentiles.filter { isWanted($0.percent) }.map {
                    (
                        "\($0.percent == $0.percent.rounded() ? Console.fixed($0.percent, digits: 0) : "\($0.percent)") %",
                        $0.value
                    )
                }
            }
            return [("minimum", distribution.minimum)] + part { $0 < 50 } + [("median", distribution.median)]
                + part { $0 > 50 } + [("maximum", distribution.maximum)]
        }
        let divergences = Dictionary(uniqueKeysWithValues: values(candidate.divergence).map { ($0.place, $0.value) })
        let rows = values(candidate.probabilityChange).map { place, change in
            [
                "  " + place, divergences[place].map { Console.fixed($0, digits: 6) } ?? "",
                Console.fixed(change * 100, digits: 3) + " %",
            ]
        }
        return Console.table([["Percentiles", "KL divergence", "Δp"]] + rows, rightAligned: [1, 2])
    }

    private static func layers(_ errors: [Double]) -> String {
        let longest = max(errors.max() ?? 0, .leastNormalMagnitude)
        let rows = errors.enumerated().map { layer, error in
            [
                "  \(layer)", Console.fixed(error, digits: 6),
                String(repeating: "▇", count: min(32, Int((error / longest * 32).rounded()))),
            ]
        }
        return Console.table([["After layer", "relative error of the hidden state"]] + rows, rightAligned: [0])
    }
}
