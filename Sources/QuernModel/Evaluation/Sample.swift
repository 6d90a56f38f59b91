import Foundation
import QuernJobs

/// Values of one quantity at many positions, with their first moments.
struct Sample {
    let values: [Double]
    let mean: Double
    /// Σ(x − mean)² / n.
    let variance: Double

    /// - Parameter values: at least one, summed in their order.
    init(_ values: [Double]) {
        self.values = values
        let mean = values.reduce(0, +) / Double(values.count)
        self.mean = mean
        variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    }

    /// Of the mean: √(variance / (n − 1)); 0 for a single value.
    var standardError: Double { values.count > 1 ? (variance / Double(values.count - 1)).squareRoot() : 0 }

    var estimate: Estimate { Estimate(value: mean, error: standardError) }

    /// Covariance of the means of two samples of the same positions.
    func covarianceOfMeans(_ other: Sample) -> Double {
        guard values.count > 1 else { return 0 }
        let sum = zip(values, other.values).reduce(0) { $0 + ($1.0 - mean) * ($1.1 - other.mean) }
        return sum / Double(values.count) / Double(values.count - 1)
    }
}

extension Distribution {
    /// - Parameter percents: in (0, 100), ascending.
    init(_ sample: Sample, percents: [Double]) {
        let sorted = sample.values.sorted()
        self.init(
            mean: sample.estimate, minimum: sorted[0], median: Self.quantile(0.5, of: sorted),
            maximum: sorted[sorted.count - 1],
            percentiles: percents.map { Percentile(percent: $0, value: Self.quantile($0 / 100, of: sorted)) })
    }

    /// Between the two values next to place `fraction`·(n − 1), linearly.
    /// - Parameter sorted: at least one value.
    static func quantile(_ fraction: Double, of sorted: [Double]) -> Double {
        let place = fraction * Double(sorted.count - 1)
        let below = Int(place)
        let above = min(below + 1, sorted.count - 1)
        let weight = place - Double(below)
        return sorted[below] + weight * (sorted[above] - sorted[below])
    }
}
