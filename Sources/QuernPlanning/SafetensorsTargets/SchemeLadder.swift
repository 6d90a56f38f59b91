import QuernFormats
import QuernJobs

/// The schemes that layers may be given where these are chosen by what they cost.
///
/// Only schemes that leave activations as they are: what is measured is what weights lose.
struct SchemeLadder {
    /// The scheme of the target, and more precise ones; nil for layers that stay as they are.
    let schemes: [Scheme?]

    /// The methods whose costs are measured.
    static let methods: [Recipe.Method] = [.nearest, .imatrix, .gptq]

    /// All that can be the scheme of a target or stand above it: what is measured.
    static var all: [Scheme] {
        get throws {
            try ["W4A16", "W4A16_ASYM"].flatMap { base in
                try (["", "_G64", "_G32", "_CHANNEL"]).map { try Scheme(named: base + $0) }
            } + ["W8A16", "W8A16_G64", "W8A16_G32", "W8A16_CHANNEL", "NVFP4A16", "MXFP4A16"].map(Scheme.init(named:))
        }
    }

    /// - Throws: `QuernError` `.usage` for a scheme that has none above it.
    init(above base: Scheme) throws {
        let measured = try Self.all
        guard measured.contains(base) else {
            let message =
                base.activations == nil
                ? "all layers of a folder in \(base.name) have this scheme"
                : "what \(base.name) loses by rounding activations is not measured"
            throw QuernError(
                .usage, "\(message), so that no schemes can be chosen for a size", at: base.label,
                remedy: "Sizes go with \(Set(measured.map(\.name)).sorted().joined(separator: ", "))")
        }
        schemes = [base] + measured.filter { $0.isAbove(base) } + [nil]
    }
}

extension Scheme {
    /// Whether it takes more bits for less loss: smaller groups of the same numbers, or 8 bits in groups in place of 4.
    fileprivate func isAbove(_ base: Scheme) -> Bool {
        guard case .packed(let bits, let group, let isSymmetric) = weights else { return false }
        switch base.weights {
        case .packed(8, _, _): return false
        case .packed(_, let other, let wasSymmetric) where bits == 4:
            return isSymmetric == wasSymmetric && (group ?? .max) < (other ?? .max)
        default: return bits == 8 && group == 128
        }
    }
}

extension Recipe.Method {
    /// The method whose costs stand for it: rescaling changes little in where weights lose most.
    var measured: Recipe.Method { feedsBack ? .gptq : self == .nearest ? .nearest : .imatrix }
}
