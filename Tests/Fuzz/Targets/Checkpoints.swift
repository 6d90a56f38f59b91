import QuernFormats
import QuernJobs
import QuernModel
import QuernPlanning
import QuernStore

extension FuzzTarget {
    /// The index of a checkpoint of two files.
    static let index = FuzzTarget("index") { bytes in
        var files = Self.shards
        files["model.safetensors.index.json"] = bytes
        _ = try Checkpoint.open(MemoryFolder(files))
    }

    /// Of a model that has the tensors which its `model_type` makes one expect.
    static let config = FuzzTarget("config") { bytes in
        let type = try JSONValue.parse(bytes).object?["model_type"]?.string
        let folder = SampleCheckpoint.folder(["config.json": bytes], modelType: type ?? "")
        try plan(SourceModel.checkpoint(Checkpoint.open(folder)))
        _ = try StoredCheckpoint.open(Checkpoint.open(folder), allowRequantize: true)
    }

    /// The front matter of a README.md, which says who made the model.
    static let card = FuzzTarget("card") { bytes in
        let readme = Array("---\n".utf8) + bytes + Array("\n---\n".utf8)
        _ = try SourceModel.checkpoint(Checkpoint.open(SampleCheckpoint.folder(["README.md": readme])))
    }

    /// As the tokenizer of a model, then as that of a GGUF to be made.
    static let tokenizer = FuzzTarget("tokenizer") { bytes in
        guard let json = try JSONValue.parse(bytes).object else { return }
        var fault: QuernError?
        do {
            try check(Tokenizer.open(json: json))
        } catch let error as QuernError {
            fault = error
        }
        _ = try SourceModel.checkpoint(Checkpoint.open(SampleCheckpoint.folder(["tokenizer.json": bytes])))
        if let fault { throw fault }
    }

    /// `tokenizer.model` of SentencePiece, likewise.
    static let pieces = FuzzTarget("pieces") { bytes in
        try check(Tokenizer.checkpoint(MemoryFolder(["tokenizer.model": bytes])))
        var files = SampleCheckpoint.folder(["tokenizer.model": bytes])
        files.remove("tokenizer.json")
        _ = try SourceModel.checkpoint(Checkpoint.open(files))
    }

    /// Encodes some texts.
    static func check(_ tokenizer: Tokenizer) throws {
        for text in texts {
            let ids = try tokenizer.encode(text, addSpecialTokens: true)
            guard ids.allSatisfy({ $0 >= 0 && $0 < tokenizer.vocabularySize }) else {
                throw FuzzFault("a token beyond the vocabulary")
            }
        }
    }

    /// Plans what takes most to know of a model: how it is calibrated and evaluated.
    static func plan(_ model: SourceModel) throws {
        let text = SourceFile(path: "/text.txt", name: "text.txt", size: 1 << 20, modified: 1)
        let recipe = Recipe(
            source: "/model", targets: [.init(gguf: "Q4_K_M")], calibration: .init(text: text.path),
            evaluation: .init(text: text.path), allowRequantize: true)
        _ = try Planner.plan(
            recipe: recipe, source: model, importance: nil, calibrationText: text, evaluationText: text)
    }

    /// Two files of one tensor each, as their index has to name them.
    private static let shards: [String: [UInt8]] = [
        "config.json": Array("{}".utf8), "a.safetensors": shard("x"), "b.safetensors": shard("y"),
    ]

    private static func shard(_ name: String) -> [UInt8] {
        let tensor = SafetensorsTensorInfo(name: name, type: .u8, shape: [1])
        return ((try? SafetensorsWriter.header(tensors: [tensor])) ?? []) + [0]
    }

    private static let texts = [
        "", "Hello, world! 3.14 and 1234567", " the  cat's\n\n\tcafé e\u{301} Ａ ﬁ 한국어 <s> [MASK]",
        "\u{0}\u{7F}\u{FFFD}\u{200D}👩‍👩‍👧 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ]
}
