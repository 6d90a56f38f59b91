import Foundation
import QuernFormats
import QuernJobs

/// The safetensors files of a target to the byte, and their index.
struct SafetensorsLayout {
    struct Tensor {
        let name: String
        let type: SafetensorsType
        /// Outermost dimension first.
        let shape: [Int]
        /// As `TensorPlacement.weights`.
        let weights: Int?
        let encoding: (tensor: Int, output: EncodeOutput)?

        var bytes: UInt64 { type.bytes(shape: shape) ?? 0 }
    }

    /// With the index, where there are several.
    let files: [PlannedFile]

    /// What shards hold at most where the recipe does not say: as much as transformers writes.
    private static let usualBytes: UInt64 = 5_000_000_000

    /// - Parameters:
    ///   - folder: that the files lie in.
    ///   - tensors: those of one layer next to each other.
    ///   - limits: where to begin another file.
    init(folder: String, tensors: [Tensor], limits: Recipe.SplitLimits?) throws {
        var limits = limits ?? Recipe.SplitLimits()
        limits.maxBytes = limits.maxBytes ?? Self.usualBytes
        let shards = limits.runs(of: tensors.map(\.bytes)).map { Array(tensors[$0]) }
        guard shards.count <= 99_999 else {
            throw QuernError(
                .usage, "the split limits ask for \(shards.count) files, and names have room for 99999",
                remedy: "Raise max_size or max_tensors")
        }
        var files: [PlannedFile] = []
        var map: [String: String] = [:]
        for (number, shard) in shards.enumerated() {
            let name = Self.name(number, of: shards.count)
            for tensor in shard { map[tensor.name] = name }
            files.append(try Self.file("\(folder)/\(name)", shard))
        }
        if shards.count > 1 {
            let index = Index(
                metadata: .init(total_size: tensors.reduce(0) { $0 + $1.bytes }), weight_map: map)
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            let bytes = Array(try encoder.encode(index)) + [UInt8(ascii: "\n")]
            files.append(PlannedFile(name: "\(folder)/\(Index.fileName)", bytes: bytes))
        }
        self.files = files
    }

    private struct Index: Encodable {
        static let fileName = "model.safetensors.index.json"
        struct Metadata: Encodable {
            let total_size: UInt64
        }
        let metadata: Metadata
        let weight_map: [String: String]
    }

    private static func name(_ number: Int, of count: Int) -> String {
        guard count > 1 else { return "model.safetensors" }
        func digits(_ number: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, 5 - text.count)) + text
        }
        return "model-\(digits(number + 1))-of-\(digits(count)).safetensors"
    }

    /// Wide elements first, so that all lie at multiples of their size; then by name.
    private static func file(_ name: String, _ tensors: [Tensor]) throws -> PlannedFile {
        let ordered = tensors.sorted {
            $0.type.bits != $1.type.bits
                ? $0.type.bits > $1.type.bits : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
        }
        // transformers wants to be told what wrote it.
        let header = try SafetensorsWriter.header(
            tensors: ordered.map { SafetensorsTensorInfo(name: $0.name, type: $0.type, shape: $0.shape) },
            metadata: ["format": "pt"])
        var offset = UInt64(header.count)
        let placed = ordered.map { tensor in
            defer { offset += tensor.bytes }
            return PlannedFile.Placed(
                name: tensor.name, shape: tensor.shape, type: TensorType(tensor.type), weights: tensor.weights,
                bytes: tensor.bytes, offset: offset, encoding: tensor.encoding)
        }
        return PlannedFile(name: name, size: offset, header: header, tensors: placed)
    }
}

extension PlannedFile {
    /// A small file whose content is known.
    init(name: String, bytes: [UInt8]) {
        self.init(name: name, size: UInt64(bytes.count), header: bytes)
    }
}
