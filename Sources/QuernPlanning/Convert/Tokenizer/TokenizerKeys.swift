import QuernFormats

/// The keys under `tokenizer.`, from the tokenizer files of a checkpoint.
enum TokenizerKeys {
    /// - Throws: `QuernError` naming the file and the entry, where files are missing or don't fit together.
    static func keys(of checkpoint: Checkpoint, family: Family, config: ModelConfig) throws
        -> [(key: String, value: GGUFValue)]
    {
        let settings = try checkpoint.json("tokenizer_config.json")
        let file = try checkpoint.json(TokenizerFile.fileName).map(TokenizerFile.init)
        let vocabulary = try vocabulary(
            of: checkpoint, file: file, settings: settings, size: config.vocabularySize, style: family.tokenizer)
        let special = try SpecialTokens(
            file: file, settings: settings, config: config.fields, size: vocabulary.tokens.count,
            known: family.tokenizer.specialTokens)

        var keys = KeyList()
        if family.tokenizer.writesSpacePrefix, let prefix = settings?["add_prefix_space"]?.bool {
            keys.add("tokenizer.ggml.add_space_prefix", .bool(prefix))
        }
        for (key, value) in vocabulary.keys + special.keys { keys.add(key, value) }
        for (key, value) in ChatTemplate.keys(
            settings: settings, file: try checkpoint.text("chat_template.jinja"),
            json: try checkpoint.json("chat_template.json"))
        {
            keys.add(key, value)
        }
        for (key, value) in family.tokenizer.extraKeys(config.vocabularySize) { keys.set(key, value) }
        return keys.entries
    }

    /// A tokenizer.json over bytes counts first: a tokenizer.model beside it is of another kind. Then tokenizer.model,
    /// which has the scores, then what tokenizer.json makes of them.
    private static func vocabulary(
        of checkpoint: Checkpoint, file: TokenizerFile?, settings: JSONObject?, size: Int, style: TokenizerStyle
    ) throws -> Vocabulary {
        if let file, file.kind == .byteLevel {
            return try .byteLevel(
                file, size: size, specialNames: SpecialTokens.declaredNames(settings), splits: style.splits)
        }
        if let bytes = try checkpoint.bytes("tokenizer.model") {
            let model: SentencePieceModel
            do {
                model = try SentencePieceModel(bytes)
            } catch let error as QuernError {
                throw error.located(in: "tokenizer.model")
            }
            return try .sentencePiece(
                model, size: size, added: try checkpoint.json("added_tokens.json"),
                decoder: settings?["added_tokens_decoder"]?.object)
        }
        if let file { return try .byteFallback(file, size: size) }
        throw QuernError(
            .notFound, "there is neither tokenizer.json nor tokenizer.model",
            remedy: "Fetch the tokenizer files of the checkpoint")
    }
}
