import QuernFormats
import QuernJobs

/// How many of each thing a recipe may list: more than anybody needs, and fewer than planning could not cope with, which
/// compares them with each other.
enum RecipeBounds {
    static let targets = 100
    /// Of a target, by the name of tensors or layers; the largest models have a few tens of thousands.
    static let rules = 65_536
    static let overrides = 4096
    /// Parts of tensors' names.
    static let weights = 4096
    static let layers = 4096

    /// - Throws: `QuernError` `.usage` where there are more.
    static func check(_ recipe: Recipe) throws {
        try check(recipe.targets.count, most: targets, "targets")
        for target in recipe.targets {
            switch target {
            case .gguf(let target): try check(target.tensors.count, most: rules, "tensors")
            case .compressedTensors(let target):
                try check(target.layers.count, most: rules, "layers")
                try check(target.ignore.count, most: rules, "ignore")
            }
        }
        try check(recipe.overrides.count, most: overrides, "override_kv")
        try check(recipe.includeWeights.count, most: weights, "include_weights")
        try check(recipe.excludeWeights.count, most: weights, "exclude_weights")
        try check(recipe.pruneLayers.count, most: layers, "prune_layers")
    }

    private static func check(_ count: Int, most: Int, _ field: String) throws {
        guard count > most else { return }
        throw QuernError(.usage, "\(count) are too many: there may be \(most)", at: field)
    }
}
