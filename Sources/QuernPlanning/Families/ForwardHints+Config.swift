extension ForwardHints {
    /// What YaRN needs to know; nothing without it.
    static func yarn(_ config: ModelConfig) throws -> ForwardHints {
        guard case .yarn(let yarn) = config.rope.scaling else { return ForwardHints() }
        return ForwardHints(yarnTruncates: yarn.truncates, yarnMagnitude: yarn.cosineScale)
    }
}

extension ModelConfig {
    /// The window of each layer: `sliding_window` where `layer_types` or else `slides` says so, otherwise 0.
    /// - Parameters:
    ///   - missing: what the class puts where the field is missing; null, there or here, is no window at all.
    ///   - slides: whether a layer has a window.
    func windows(missing: Int?, slides: (Int) -> Bool = { _ in true }) throws -> [Int] {
        let size = fields["sliding_window"] == nil ? missing ?? 0 : try optionalSize("sliding_window") ?? 0
        if let types = Self.present(fields, "layer_types") {
            let names = types.array?.map(\.string) ?? []
            guard names.count == layers, names.allSatisfy({ Self.layerTypes.contains($0 ?? "") }) else {
                throw Self.fault("'layer_types' does not call each of the \(layers) layers sliding or full attention")
            }
            return names.map { $0 == Self.layerTypes[0] ? size : 0 }
        }
        return (0..<layers).map { slides($0) ? size : 0 }
    }

    private static let layerTypes = ["sliding_attention", "full_attention"]
}
