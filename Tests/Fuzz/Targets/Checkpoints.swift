import QuernFormats
import QuernModel
import QuernPlanning

extension FuzzTarget {
    /// The index of a checkpoint of two files.
    static let index = FuzzTarget("index") { bytes in
        var files = Self.shards
        files["model.safetensors.index.json"] = bytes
        _ = try Checkpoint.open(MemoryFolder(files))
    }

    /// Of a small llama, whose tensors any family may find not to be its own.
    static let config = FuzzTarget("config") { bytes in
        _ = try SourceModel.checkpoint(Checkpoint.open(SampleCheckpoint.folder(["config.json": bytes])))
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
            let tokenizer = try Tokenizer.open(json: json)
            for text in Self.texts {
                let ids = try tokenizer.encode(text, addSpecialTokens: true)
                guard ids.allSatisfy({ $0 >= 0 && $0 < tokenizer.vocabularySize }) else {
                    throw FuzzFault("a token beyond the vocabulary")
                }
            }
        } catch let error as QuernError {
            fault = error
        }
        _ = try SourceModel.checkpoint(Checkpoint.open(SampleCheckpoint.folder(["tokenizer.json": bytes])))
        if let fault { throw fault }
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
