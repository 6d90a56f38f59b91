import Foundation
import QuernStore
import TestSupport

extension SeededGenerator {
    /// Bytes that do not shrink.
    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    /// Bytes that shrink to about a half.
    mutating func text(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(ascii: "a") + UInt8(truncatingIfNeeded: next()) % 16 }
    }
}

/// All regular files below a folder, by their paths relative to it.
func files(below folder: String) -> Set<String> {
    let entries = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    return Set(
        entries.filter { entry in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: "\(folder)/\(entry)", isDirectory: &isFolder)
                && !isFolder.boolValue
        })
}

/// Where a blob lies.
func place(_ digest: Digest, compressed: Bool = false) -> String {
    let hex = digest.hex
    return "sha256/\(hex.prefix(2))/\(hex.dropFirst(2).prefix(2))/\(hex)\(compressed ? ".zst" : "")"
}

/// Flips one bit of a file.
func flipBit(_ bit: Int, of path: String) throws {
    let url = URL(fileURLWithPath: path)
    var data = try Data(contentsOf: url)
    data[bit / 8] ^= 1 << (bit % 8)
    try data.write(to: url)
}
