import Foundation
import TestSupport
import Testing

/// The small Qwen3 checkpoint, copied to be broken in one way.
final class BrokenSource: Sendable {
    static let shard = "model-00001-of-00003.safetensors"
    private let folder: TemporaryFolder
    let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path("ck")
        try FileManager.default.copyItem(
            atPath: Fixtures.path("reference/qwen3/checkpoint"), toPath: path)
    }

    func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")))
    }

    func write(_ bytes: some Sequence<UInt8>, to name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    }

    /// Changes a file of text in one place.
    func replace(_ old: String, with new: String, in name: String) throws {
        let text = String(decoding: try bytes(name), as: UTF8.self)
        let range = try #require(text.range(of: old))
        try write(text.replacingCharacters(in: range, with: new).utf8, to: name)
    }

    /// Changes the header of the first shard; its length stays what the new one takes.
    func changeHeader(_ change: (inout [String: Any]) throws -> Void) throws {
        let file = try bytes(Self.shard)
        let length = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        var header = try #require(
            try JSONSerialization.jsonObject(with: Data(file[8..<(8 + length)])) as? [String: Any])
        try change(&header)
        let text = [UInt8](try JSONSerialization.data(withJSONObject: header))
        try write(littleEndian(UInt64(text.count)) + text + file[(8 + length)...], to: Self.shard)
    }

    /// Where the bytes of a tensor of the first shard lie in the file.
    func offset(of tensor: String) throws -> Int {
        let file = try bytes(Self.shard)
        let length = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = try JSONSerialization.jsonObject(with: Data(file[8..<(8 + length)])) as? [String: Any]
        let entry = try #require(header?[tensor] as? [String: Any])
        let offsets = try #require(entry["data_offsets"] as? [Int])
        return 8 + length + offsets[0]
    }
}

func littleEndian<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) }
}
