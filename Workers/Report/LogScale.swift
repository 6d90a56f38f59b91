import Foundation

/// Colours for costs and errors by their logarithm.
struct LogScale {
    let most: Double
    private let low: Double
    private let high: Double

    /// - Returns: nil where no value is above zero.
    init?(_ values: [Double]) {
        let values = values.filter { $0 > 0 && $0.isFinite }
        guard let least = values.min(), let most = values.max() else { return nil }
        self.most = most
        // At least a factor of two across, so that what is nearly the same looks nearly the same.
        (low, high) = (log2(least), max(log2(most), log2(least) + 1))
    }

    /// Neutral for what is not above zero.
    func colour(_ value: Double) -> (fill: String, text: String) {
        value > 0
            ? ColourScale.errors.colour(at: (log2(value) - low) / (high - low))
            : (fill: ColourScale.neutral, text: "#111")
    }

    func key(_ figure: (Double) -> String) -> String {
        [0, 0.25, 0.5, 0.75, 1].map { place in
            HTML.chip(ColourScale.errors.colour(at: place), figure(exp2(low + place * (high - low))))
        }.joined()
    }
}
