extension Family {
    /// Mistral 7B and Nemo. Windows of attention have no key: llama.cpp lets this architecture see everything.
    static let mistral = llamaLike(
        className: "MistralForCausalLM",
        defaults: ModelConfig.Defaults(keyValueHeads: 8, headSize: .quotient, contextLength: 131_072)
    ) { config in
        var hints = try ForwardHints.yarn(config)
        hints.windows = try config.windows(missing: 4096)
        return hints
    }
}
