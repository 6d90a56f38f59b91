import QuernFormats
import QuernJobs
import QuernStore

extension SourceModel {
    /// A GGUF of any architecture: one file, or any file of a split set. Keys keep their order; those about the split
    /// are left out. Every tensor stays what it is unless a plan says otherwise.
    static func gguf(path: String) throws -> SourceModel {
        try gguf(GGUFModel.open(path: path), path: path)
    }

    package static func gguf(_ model: GGUFModel, path: String) throws -> SourceModel {
        guard case .string(let architecture)? = model.metadata.first(where: { $0.key == "general.architecture" })?.value
        else {
            throw QuernError(
                .invalidInput, "'general.architecture' is missing or no string", at: path,
                remedy: "Only models can be quantized; download the file again if it is one")
        }
        let tensors = try model.tensors.map { tensor in
            guard model.files.indices.contains(tensor.file), !tensor.shape.isEmpty else {
                throw QuernError(.invalidInput, "the tensor \(tensor.name.quotedForMessage) has no place", at: path)
            }
            return SourceTensor(
                name: tensor.name, shape: tensor.shape, type: tensor.type,
                extents: [Extent(origin: .file(tensor.file), offset: tensor.offset, length: tensor.bytes)],
                // As in the checkpoint that such a file was converted from.
                fixedType: architecture.text == "gpt-oss" && tensor.type == .mxfp4 ? .mxfp4 : nil)
        }
        try checkVocabulary(model.metadata, path: path)
        return SourceModel(
            name: model.name, architecture: architecture.text, metadata: model.metadata, tensors: tensors,
            files: model.files.map { SourceFile($0) }, blobs: [:])
    }

    /// What is said about tokens must be said about each of them, in numbers of the right kind: programs that load the
    /// file read these arrays in parallel.
    private static func checkVocabulary(_ metadata: [(key: String, value: GGUFValue)], path: String) throws {
        let arrays = metadata.compactMap { key, value -> (key: String, array: GGUFArray)? in
            if case .array(let array) = value { (key, array) } else { nil }
        }
        guard let tokens = arrays.first(where: { $0.key == "tokenizer.ggml.tokens" })?.array else { return }
        for (key, array) in arrays {
            let isRight: Bool
            switch (key, array) {
            case ("tokenizer.ggml.token_type", .int32), ("tokenizer.ggml.token_type", .uint32),
                ("tokenizer.ggml.scores", .float32):
                isRight = true
            case ("tokenizer.ggml.token_type", _), ("tokenizer.ggml.scores", _): isRight = false
            default: continue
            }
            let fault =
                !isRight
                ? "an array of the wrong element type"
                : array.count != tokens.count ? "\(array.count) entries for a vocabulary of \(tokens.count)" : nil
            guard let fault else { continue }
            throw QuernError(
                .invalidInput, fault, at: "\(path): key '\(key)'",
                remedy: "No program can use this vocabulary: download or convert the file again")
        }
    }
}
