import Foundation

/// `general.size_label`: how large a model is, in two digits.
package enum SizeLabel {
    /// Elements of all tensors, experts told apart: an expert tensor counts once in `total` and by a single expert in
    /// `expert`.
    struct Count: Equatable {
        var total = 0
        var shared = 0
        var expert = 0
        /// Experts of one layer; 0 in a dense model.
        var experts = 0
    }

    static func count(_ tensors: [SourceTensor]) -> Count {
        var count = Count()
        var expertTensors = 0
        for tensor in tensors {
            count.total += tensor.elements
            // Biases of experts have two dimensions, and count with all of them.
            if tensor.name.contains("_exps."), tensor.shape.count > 2 {
                count.expert += tensor.elements / tensor.shape[2]
                count.experts += tensor.shape[2]
                expertTensors += 1
            } else {
                count.shared += tensor.elements
            }
        }
        if expertTensors > 0 { count.experts /= expertTensors }
        return count
    }

    /// "8B", "854K"; "8x513K" with experts.
    static func text(_ count: Count) -> String {
        count.experts > 0 ? "\(count.experts)x\(rounded(count.shared + count.expert))" : rounded(count.total)
    }

    /// At least two digits, in thousands, millions, billions or trillions: the unit changes *above* its threshold.
    package static func rounded(_ parameters: Int) -> String {
        let count = Double(parameters)
        let (scaled, unit): (Double, String) =
            if count > 1e12 {
                (count * 1e-12, "T")
            } else if count > 1e9 {
                (count * 1e-9, "B")
            } else if count > 1e6 {
                (count * 1e-6, "M")
            } else {
                (count * 1e-3, "K")
            }
        let whole = Int(scaled.rounded(.toNearestOrEven))
        let digits = whole == 0 ? 0 : String(whole).count
        return String(format: "%.*f", max(2 - digits, 0), scaled) + unit
    }
}
