import Foundation

/// How JSON is written to files that people read, too.
enum JSONFile {
    /// Sorted keys, shortest exact numbers, a line end at the end.
    static func bytes(
        _ value: some Encodable, keys: JSONEncoder.KeyEncodingStrategy = .convertToSnakeCase
    ) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = keys
        return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
    }
}
