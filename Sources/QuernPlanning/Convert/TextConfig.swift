import QuernFormats

/// Checkpoints of models that see images keep what is about text apart: its fields in `text_config`, its tensors under
/// a prefix of their own.
enum TextConfig {
    /// The fields about text, and those outside that nothing there speaks of.
    static func fields(_ config: JSONObject) throws -> JSONObject {
        guard let value = ModelConfig.present(config, "text_config") else { return config }
        guard var fields = value.object else { throw ModelConfig.fault("'text_config' has to be an object") }
        for (key, value) in config.entries { _ = fields.append(key, value) }
        return fields
    }

    private static let prefixes = ["model.language_model.", "language_model.model."]
    private static let foreign = ["vision_tower.", "multi_modal_projector.", "vision_model."]

    /// The name that a tensor has in a checkpoint of text alone.
    /// - Returns: nil for tensors that are not about text.
    static func name(_ name: String) -> String? {
        for prefix in prefixes where name.hasPrefix(prefix) { return "model." + name.dropFirst(prefix.count) }
        if name.hasPrefix("language_model.") { return String(name.dropFirst("language_model.".count)) }
        let inner = name.hasPrefix("model.") ? name.dropFirst("model.".count) : name[...]
        return foreign.contains(where: inner.hasPrefix) ? nil : name
    }
}
