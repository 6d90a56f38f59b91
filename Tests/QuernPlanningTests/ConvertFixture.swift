import Foundation
import QuernFormats
import QuernPlanning
import QuernStore
import TestSupport

/// A checkpoint of the fixtures in a folder of its own, to be changed at will. Its safetensors headers are real; its
/// weights are holes in sparse files.
final class ConvertFixture {
    static let families = [
        "deepseek_v3", "gemma2", "gemma3", "glm4", "gpt_oss", "granite", "llama", "mistral", "mixtral", "olmo2", "phi3",
        "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "starcoder2",
    ]

    let family: String
    private let folder: TemporaryFolder
    private let name: String
    var path: String { folder.path(name) }

    /// - Parameter name: of the folder, from which the model is named.
    init(_ family: String, name: String = "checkpoint") throws {
        self.family = family
        self.name = name
        folder = try TemporaryFolder()
        for file in try FileManager.default.contentsOfDirectory(atPath: Fixtures.path("checkpoints/\(family)")) {
            let bytes = try Fixtures.bytes("checkpoints/\(family)/\(file)")
            if file.hasSuffix(".header") {
                try writeShard(String(file.dropLast(7)), header: bytes)
            } else if file.hasSuffix(".json") || file == "tokenizer.model" {
                try write(bytes, to: file)
            }
        }
    }

    func open() throws -> SourceModel { try SourceModel.open(path: path) }

    func write(_ bytes: [UInt8], to file: String) throws { try folder.write(bytes, to: "\(name)/\(file)") }

    func write(_ text: String, to file: String) throws { try write(Array(text.utf8), to: file) }

    func remove(_ file: String) throws { try FileManager.default.removeItem(atPath: "\(path)/\(file)") }

    func text(_ file: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(file)")), as: UTF8.self)
    }

    /// Changes an object in a JSON file.
    /// - Parameter keys: the way to the object, from the outermost.
    func edit(_ file: String, at keys: [String] = [], _ change: (inout [String: Any]) -> Void) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(file)"))
        var object = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
        Self.edit(&object, at: keys[...], change)
        try write([UInt8](try JSONSerialization.data(withJSONObject: object)), to: file)
    }

    private static func edit(
        _ object: inout [String: Any], at keys: ArraySlice<String>, _ change: (inout [String: Any]) -> Void
    ) {
        guard let key = keys.first else { return change(&object) }
        var inner = object[key] as? [String: Any] ?? [:]
        edit(&inner, at: keys.dropFirst(), change)
        object[key] = inner
    }

    /// Changes the tensors of model.safetensors: from name to dtype, shape and data_offsets.
    func editTensors(_ change: (inout [String: Any]) -> Void) throws {
        let file = "model.safetensors"
        let source = try FileByteSource(path: "\(path)/\(file)")
        let length = try source.bytes(at: 0, count: 8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let data = Data(try source.bytes(at: 8, count: length))
        var tensors = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
        change(&tensors)
        let json = [UInt8](try JSONSerialization.data(withJSONObject: tensors))
        try writeShard(file, header: (0..<8).map { UInt8(truncatingIfNeeded: json.count >> (8 * $0)) } + json)
    }

    /// Gives config.json and the embeddings another size of the vocabulary; all tensors move.
    func resizeVocabulary(_ size: Int) throws {
        try edit("config.json") { $0["vocab_size"] = size }
        try editTensors { tensors in
            for name in ["lm_head.weight", "model.embed_tokens.weight"] {
                guard var tensor = tensors[name] as? [String: Any], var shape = tensor["shape"] as? [Int] else {
                    continue
                }
                shape[0] = size
                tensor["shape"] = shape
                tensors[name] = tensor
            }
            Self.layOut(&tensors)
        }
    }

    /// Gives all tensors new places, one after the other by name.
    static func layOut(_ tensors: inout [String: Any]) {
        var end = 0
        for name in tensors.keys.sorted() where name != "__metadata__" {
            guard var tensor = tensors[name] as? [String: Any], let shape = tensor["shape"] as? [Int] else { continue }
            let bytes = shape.reduce(["U8": 1, "F32": 4][tensor["dtype"] as? String ?? ""] ?? 2, *)
            tensor["data_offsets"] = [end, end + bytes]
            tensors[name] = tensor
            end += bytes
        }
    }

    /// Fills the data of every shard with the words that the fixtures' digests were computed from.
    func fillShards() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: path) where name.hasSuffix(".safetensors") {
            let source = try FileByteSource(path: "\(path)/\(name)")
            let start = 8 + (try source.bytes(at: 0, count: 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
            let words = (0..<(source.size - start) / 2).map { index -> UInt16 in
                UInt16(truncatingIfNeeded: index * 40503 + (index >> 16) * 977 + 12345) & 0x7F7F
            }
            let handle = try FileHandle(forUpdating: URL(fileURLWithPath: "\(path)/\(name)"))
            try handle.seek(toOffset: start)
            try handle.write(contentsOf: words.map(\.littleEndian).withUnsafeBytes { Data($0) })
            try handle.close()
        }
    }

    private func writeShard(_ file: String, header: [UInt8]) throws {
        try write(header, to: file)
        let tensors = try JSONSerialization.jsonObject(with: Data(header[8...])) as? [String: Any] ?? [:]
        let end = tensors.values.compactMap { (($0 as? [String: Any])?["data_offsets"] as? [Int])?.last }.max() ?? 0
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: "\(path)/\(file)"))
        try handle.truncate(atOffset: UInt64(header.count + end))
        try handle.close()
    }
}

extension SourceModel {
    subscript(key: String) -> GGUFValue? { metadata.first { $0.key == key }?.value }

    func tensor(_ name: String) -> SourceTensor? { tensors.first { $0.name == name } }

    /// The bytes of a tensor in its stored type, in the artifact's order.
    func bytes(of name: String) throws -> [UInt8] {
        guard let tensor = tensor(name) else { throw QuernError(.notFound, "no such tensor", at: name) }
        let reader = try SpanReader(
            extents: tensor.extents, scales: tensor.scales, type: tensor.type, columns: tensor.columns,
            rows: tensor.rows, name: name, files: SourceFiles(files),
            weights: { throw QuernError(.unsupported, "quantized weights", at: $0.layer) }
        ) { blobs[$0] ?? [] }
        return try [UInt8](unsafeUninitializedCapacity: reader.count) { buffer, count in
            try reader.read(at: 0, into: UnsafeMutableRawBufferPointer(buffer))
            count = reader.count
        }
    }

    /// The error of an open that has to fail.
    static func failure(_ fixture: ConvertFixture) -> QuernError? {
        do {
            _ = try fixture.open()
            return nil
        } catch {
            return error as? QuernError
        }
    }
}
