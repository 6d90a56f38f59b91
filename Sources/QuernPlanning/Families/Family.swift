import QuernFormats

/// How one class of transformers becomes a GGUF: names, shapes, keys. A family is data; what all families share is
/// done by `SourceModel.checkpoint`.
struct Family: Sendable {
    typealias Keys = [(key: String, value: GGUFValue)]

    /// As `architectures` in config.json names it.
    let className: String
    /// `general.architecture`.
    let architecture: String
    let defaults: ModelConfig.Defaults
    /// Tensors outside the layers, by their full name.
    let globalTensors: [TensorRule]
    /// Tensors of a layer, by their name after `model.layers.N.` and after `blk.N.`.
    let layerTensors: [TensorRule]
    /// Tensors made from settings, which come first of all.
    var computedTensors: @Sendable (ModelConfig) throws -> [ComputedTensor] = { _ in [] }
    /// Whether layers beyond the last (of multi-token prediction) are left out.
    var leavesOutExtraLayers = false
    /// Kinds of quantization that the class may be stored in: `quant_method`.
    var quantization: Set<String> = []
    /// Keys right after `general.architecture`, without the architecture's prefix.
    var leadingKeys: @Sendable (ModelConfig) throws -> Keys = { _ in [] }
    /// Keys before `general.file_type`, without the architecture's prefix.
    var baseKeys: @Sendable (ModelConfig) throws -> Keys = ArchitectureKeys.base
    /// Keys between `general.file_type` and `general.quantization_version`, without the architecture's prefix.
    var extraKeys: @Sendable (ModelConfig) throws -> Keys = { _ in [] }
    /// What of the configuration the forward pass needs and no key says.
    var hints: @Sendable (ModelConfig) throws -> ForwardHints = { _ in ForwardHints() }
    var tokenizer = TokenizerStyle()

    /// All that a checkpoint folder may hold.
    static let all: [Family] = [
        .llama, .mistral, .mixtral, .qwen2, .qwen2Moe, .qwen3, .qwen3Moe, .gemma2, .gemma3, .gemma3Multimodal, .phi3,
        .deepseekV3, .gptOss, .olmo2, .granite, .glm4, .starcoder2,
    ]

    /// The family of a configuration.
    /// - Throws: `.unsupported` for an unknown class, `.invalidInput` where none is named.
    static func of(_ config: JSONObject) throws -> Family {
        guard let name = config["architectures"]?.array?.first?.string else {
            throw ModelConfig.fault("'architectures' names no model class")
        }
        guard let family = all.first(where: { $0.className == name }) else {
            let known = all.map(\.className).joined(separator: ", ")
            throw QuernError(
                .unsupported, "the model class '\(name)' is unknown", at: "config.json",
                remedy: "Checkpoint folders may be \(known). A GGUF of any architecture works as a source")
        }
        return family
    }
}

/// A tensor that follows from settings, in F32.
struct ComputedTensor: Sendable {
    /// In the GGUF.
    let name: String
    let values: [Float]
}

/// What a family's converter does differently with the tokenizer.
struct TokenizerStyle: Sendable {
    /// Whether `add_prefix_space` of tokenizer_config.json becomes `tokenizer.ggml.add_space_prefix`.
    var writesSpacePrefix = false
    /// Names of splits that have another one in this family: `tokenizer.ggml.pre`.
    var splits: [String: String] = [:]
    /// Added tokens with a meaning that nothing else gives, where they are there: the kind, and the token.
    var specialTokens: [(kind: SpecialTokens.Kind, token: String)] = []
    /// Keys that hang on the size of the vocabulary; they replace keys of the same name.
    var extraKeys: @Sendable (_ vocabularySize: Int) -> [(key: String, value: GGUFValue)] = { _ in [] }
}
