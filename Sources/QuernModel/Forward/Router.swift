import CQuernKernels
import Foundation
import QuernPlanning

/// Chooses experts for rows.
struct Router: Sendable {
    let routing: Routing
    let choiceBias: [Float]?
    private let steps: quern_forward_kernels

    /// - Throws: `.internalFault` without kernels.
    init(routing: Routing, choiceBias: [Float]?) throws {
        self.routing = routing
        self.choiceBias = choiceBias
        steps = try quern_forward_kernels.best()
    }

    struct Choice {
        let expert: Int
        let weight: Float
    }

    /// - Parameter row: the router's outputs for one row, [experts].
    /// - Returns: `routing.used` choices, by ascending expert.
    func choose(_ row: UnsafeBufferPointer<Float>) -> [Choice] {
        var scores = Array(row)
        switch routing.scoring {
        case .softmax: steps.softmax(&scores, scores.count, nil)
        case .sigmoid: for index in scores.indices { scores[index] = 1 / (1 + exp(-scores[index])) }
        case .softmaxOfChosen: break
        }
        var ranking = scores
        if let choiceBias { for index in ranking.indices { ranking[index] += choiceBias[index] } }
        if let groups = routing.groups { Self.keepBest(groups, in: &ranking) }
        let chosen = Self.best(routing.used, of: ranking).sorted()
        var weights = chosen.map { scores[$0] }
        if routing.scoring == .softmaxOfChosen { steps.softmax(&weights, weights.count, nil) }
        if routing.normalizes {
            let sum = max(weights.reduce(0, +), .leastNormalMagnitude)
            weights = weights.map { $0 / sum }
        }
        return zip(chosen, weights).map { Choice(expert: $0, weight: $1 * routing.scale) }
    }

    /// Rules out the experts of all groups but the best.
    private static func keepBest(_ groups: Routing.Groups, in ranking: inout [Float]) {
        let size = ranking.count / groups.count
        let quality = (0..<groups.count).map { group -> Float in
            let members = Array(ranking[group * size..<(group + 1) * size])
            return best(2, of: members).reduce(0) { $0 + members[$1] }
        }
        let kept = Set(best(groups.used, of: quality))
        for group in 0..<groups.count where !kept.contains(group) {
            for index in group * size..<(group + 1) * size { ranking[index] = -.infinity }
        }
    }

    /// Indices of the largest; among equals the first come first.
    private static func best(_ count: Int, of values: [Float]) -> ArraySlice<Int> {
        values.indices.sorted { values[$0] != values[$1] ? values[$0] > values[$1] : $0 < $1 }.prefix(count)
    }
}
