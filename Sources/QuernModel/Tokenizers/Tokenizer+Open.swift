import QuernFormats
import QuernPlanning

extension Tokenizer {
    /// Opens the tokenizer of a checkpoint folder (tokenizer.json, else tokenizer.model) or of a `.gguf`,
    /// by path or URL. Weights and
    /// config.json need not be there.
    /// - Throws: `QuernError` naming the file and the entry; `.unsupported` for kinds that are unknown.
    public static func open(path: String) throws -> Tokenizer {
        if try SourcePlace.isFolder(path) { return try checkpoint(SourcePlace.folder(path)) }
        guard SourcePlace.name(of: path).lowercased().hasSuffix(".gguf") else {
            throw QuernError(
                .unsupported, "neither a folder nor a .gguf file", at: path,
                remedy: "Give the folder that holds tokenizer.json or tokenizer.model, or a GGUF")
        }
        return try located(in: path) { try GGUFTokenizer.encoder(GGUFModel.open(path: path).metadata) }
    }

    /// Opens the tokenizer that the vocabulary keys of a GGUF describe.
    public static func open(metadata: [(key: String, value: GGUFValue)]) throws -> Tokenizer {
        Tokenizer(try GGUFTokenizer.encoder(metadata))
    }

    /// Opens the tokenizer that the content of a `tokenizer.json` describes.
    /// - Throws: `QuernError` at the entry that is wrong or unknown.
    public static func open(json: JSONObject) throws -> Tokenizer { Tokenizer(try HubTokenizer(json)) }

    private static func located(in place: String, _ encoder: () throws -> any TextEncoder) throws -> Tokenizer {
        do {
            return Tokenizer(try encoder())
        } catch let error as QuernError where !error.location.hasPrefix(place) {
            throw error.located(in: place)
        }
    }

    package static func checkpoint(_ folder: any CheckpointFolder) throws -> Tokenizer {
        if let json = try folder.json("tokenizer.json") {
            return try located(in: "\(folder.path)/tokenizer.json") { try HubTokenizer(json) }
        }
        if let bytes = try folder.bytes("tokenizer.model") {
            let settings = try folder.json("tokenizer_config.json")
            return try located(in: "\(folder.path)/tokenizer.model") {
                try PieceTokenizer(SentencePieceModel(bytes), settings: settings)
            }
        }
        throw QuernError(
            .notFound, "there is neither tokenizer.json nor tokenizer.model", at: folder.path,
            remedy: "Fetch the tokenizer files of the checkpoint")
    }
}
