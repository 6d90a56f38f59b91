import QuernFormats
import QuernModel
import QuernPlanning

extension FuzzTarget {
    /// A header, then the whole file as the only one of a checkpoint.
    static let safetensors = FuzzTarget("safetensors") { bytes in
        let header = try SafetensorsHeader.read(from: MemoryFile(bytes, name: "model.safetensors"))
        guard header.tensors.allSatisfy({ $0.offset + $0.length <= UInt64(bytes.count) }) else {
            throw FuzzFault("a tensor beyond the end")
        }
        _ = try Checkpoint.open(MemoryFolder(["config.json": Array("{}".utf8), "model.safetensors": bytes]))
    }

    /// A file that ends where its tensors begin, and its vocabulary; then a whole one, as the source of others.
    static let gguf = FuzzTarget("gguf") { bytes in
        let file = MemoryFile(bytes, name: "model.gguf")
        let cut = try GGUFHeader.read(from: file, requiringData: false)
        _ = cut.metadata.map { $0.value.description }
        if let tokenizer = try? Tokenizer.open(metadata: cut.metadata) { try check(tokenizer) }
        let header = try GGUFHeader.read(from: file)
        guard header.tensors.allSatisfy({ $0.offset + $0.bytes <= file.size }) else {
            throw FuzzFault("a tensor beyond the end")
        }
        try plan(SourceModel.gguf(GGUFModel(name: "model", files: [file], headers: [header]), path: file.name))
    }

    /// Either form; what was read is written in both and read again.
    static let imatrix = FuzzTarget("imatrix") { bytes in
        let file = try ImatrixFile.read(from: MemoryFile(bytes, name: "imatrix.gguf"))
        let again = try ImatrixFile.read(from: MemoryFile(file.gguf(), name: "again.gguf"))
        guard again == file else { throw FuzzFault("it is another one once it was written") }
        _ = file.legacy()
        _ = try file.importanceMatrix()
        var sum = file
        try sum.add(file)
    }
}
