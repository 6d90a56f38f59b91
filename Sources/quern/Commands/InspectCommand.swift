import ArgumentParser
import Foundation
import QuernFormats

struct InspectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what is in a GGUF, a safetensors file, an importance matrix or a checkpoint folder.",
        discussion: "Example: quern inspect out/tiny-llama-Q4_K_M.gguf")

    @Argument(help: "A file or a checkpoint folder, by path or URL.", completion: .file()) var path: String
    @Flag(help: "Print one JSON object.") var json = false

    func run() async throws {
        let inspection = try await OwnThread.run { [path] in try Inspection.of(SourcePlace.pinned(path)) }
        if json { try Console.json(inspection) } else { Console.line(inspection.text) }
    }
}

/// What a file or folder holds, in a form that people and machines can read.
struct Inspection: Encodable, Sendable {
    struct Tensor: Encodable, Sendable {
        let name: String
        let shape: [Int]
        let type: String
        let bytes: UInt64
        /// Base name of the file it lies in.
        let file: String
    }
    struct Entry: Encodable, Sendable {
        let key: String
        let value: String
    }

    let format: String
    let files: [String]
    let metadata: [Entry]
    let tensors: [Tensor]

    /// - Throws: `QuernError` where the path holds nothing that is known, or something damaged.
    static func of(_ path: String) throws -> Inspection {
        if try SourcePlace.isFolder(path) { return try checkpoint(path) }
        let source = try SourcePlace.file(path)
        let magic = try source.bytes(at: 0, count: Int(min(4, source.size)))
        if magic == Array("GGUF".utf8) { return try gguf(path) }
        if base(path).hasSuffix(".safetensors") { return try safetensors(path) }
        return try importanceMatrix(path)
    }

    private static func gguf(_ path: String) throws -> Inspection {
        let model = try GGUFModel.open(path: path)
        let names = model.files.map { base($0.name) }
        return Inspection(
            format: "GGUF", files: names,
            metadata: model.metadata.map { Entry(key: $0.key, value: $0.value.description) },
            tensors: model.tensors.map {
                Tensor(name: $0.name, shape: $0.shape, type: "\($0.type)", bytes: $0.bytes, file: names[$0.file])
            })
    }

    private static func safetensors(_ path: String) throws -> Inspection {
        let header = try SafetensorsHeader.read(from: SourcePlace.file(path))
        return Inspection(
            format: "safetensors", files: [base(path)],
            metadata: header.metadata.sorted { $0.key < $1.key }.map { Entry(key: $0.key, value: $0.value) },
            tensors: header.tensors.map { tensor($0, file: base(path)) })
    }

    private static func checkpoint(_ path: String) throws -> Inspection {
        let checkpoint = try Checkpoint.open(path: path)
        return Inspection(
            format: "checkpoint", files: checkpoint.shards.map { base($0.file.name) },
            metadata: checkpoint.config.entries.map { Entry(key: $0.key, value: $0.value.summary) },
            tensors: checkpoint.shards.flatMap { shard in
                shard.header.tensors.map { tensor($0, file: base(shard.file.name)) }
            })
    }

    private static func importanceMatrix(_ path: String) throws -> Inspection {
        let matrix = try ImportanceMatrix.read(from: SourcePlace.file(path))
        return Inspection(
            format: "importance matrix", files: [base(path)],
            metadata: [
                Entry(key: "datasets", value: matrix.datasets.joined(separator: ", ")),
                Entry(key: "chunks", value: "\(matrix.chunkCount)"),
            ],
            tensors: matrix.entries.sorted { $0.key < $1.key }.map { name, entry in
                Tensor(
                    name: name, shape: [entry.columns, entry.matrices], type: "F32",
                    bytes: UInt64(entry.values.count * 4),
                    file: base(path))
            })
    }

    private static func tensor(_ tensor: SafetensorsTensor, file: String) -> Tensor {
        Tensor(name: tensor.name, shape: tensor.shape, type: "\(tensor.type)", bytes: tensor.length, file: file)
    }

    private static func base(_ path: String) -> String { SourcePlace.name(of: path) }

    var text: String {
        let bytes = tensors.reduce(0) { $0 + $1.bytes }
        let head =
            "\(format), \(files.count) file\(files.count == 1 ? "" : "s"), \(tensors.count) tensors, \(Console.size(bytes))"
        let keys = Console.table(metadata.map { ["  " + $0.key, $0.value] })
        let rows = Console.table(
            tensors.map {
                ["  " + $0.name, $0.shape.map(String.init).joined(separator: "×"), $0.type, Console.size($0.bytes)]
            },
            rightAligned: [3])
        return [head, keys, rows].filter { !$0.isEmpty }.joined(separator: "\n")
    }
}

extension JSONValue {
    /// A configuration value for people: scalars as they are, anything nested by what it is.
    fileprivate var summary: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .double(let value): "\(value)"
        case .string(let value): value
        case .array(let values):
            "[" + values.prefix(8).map(\.summary).joined(separator: ", ") + (values.count > 8 ? ", …]" : "]")
        case .object(let object):
            "{" + object.entries.map { "\($0.key): \($0.value.summary)" }.joined(separator: ", ") + "}"
        }
    }
}
