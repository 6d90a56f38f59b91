import QuernFormats

extension SourceModel {
    /// Reads the headers of a source, and the shapes of packed weights that headers do not tell; no other tensor bytes.
    /// - Parameter path: a Hugging Face checkpoint folder (one of the classes in `Family.all`), or a `.gguf` file of
    ///   any architecture, which may be one of a split set; or the URL of either. Made absolute, so that workers find the files.
    /// - Throws: `QuernError` `.notFound`, `.unsupported` for a model class, element type or tokenizer that cannot be
    ///   converted, `.invalidInput` naming the file and the tensor or entry.
    public static func open(path: String) throws -> SourceModel {
        let place = try SourcePlace.pinned(SourcePlace.absolute(path))
        if try SourcePlace.isFolder(place) { return try checkpoint(path: place) }
        guard SourcePlace.name(of: place).lowercased().hasSuffix(".gguf") else {
            throw QuernError(
                .unsupported, "neither a folder nor a .gguf file", at: path,
                remedy: "Give the folder that holds config.json, or a GGUF")
        }
        return try gguf(path: place)
    }
}
