import Foundation
import QuernFormats

/// The blocks of a PEM text (RFC 7468): labels and what stands between their lines.
struct PEM {
    struct Block {
        let label: String
        /// The lines between `BEGIN` and `END`.
        let lines: [String]

        /// The block alone, as a parser of one block wants it.
        var text: String {
            (["-----BEGIN \(label)-----"] + lines + ["-----END \(label)-----"]).joined(separator: "\n")
        }
    }

    /// Most bytes of a key file that are read; keys take a few hundred.
    private static let limit: UInt64 = 64 << 10

    let blocks: [Block]

    /// - Throws: `.invalidInput` where it holds no block, or one without an end.
    init(_ text: String) throws {
        var blocks: [Block] = []
        var label: String?
        var lines: [String] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let line = line.trimmingCharacters(in: .whitespaces)
            if let open = label {
                if line == "-----END \(open)-----" {
                    blocks.append(Block(label: open, lines: lines))
                    (label, lines) = (nil, [])
                } else {
                    lines.append(line)
                }
            } else if line.hasPrefix("-----BEGIN "), line.hasSuffix("-----"), line.utf8.count > 16 {
                label = String(line.dropFirst(11).dropLast(5))
            }
        }
        guard label == nil, !blocks.isEmpty else {
            throw QuernError(
                .invalidInput, "no key in PEM form", remedy: "Name a file that begins with -----BEGIN")
        }
        self.blocks = blocks
    }

    /// The file's text and its permissions.
    /// - Throws: `.notFound`, `.io`, `.invalidInput`.
    static func read(path: String) throws -> (text: String, mode: mode_t) {
        let file = try FileDescriptor(path: path, flags: O_RDONLY | O_NONBLOCK)
        let status = try file.status()
        guard status.st_mode & S_IFMT == S_IFREG, UInt64(status.st_size) <= limit else {
            throw QuernError(.invalidInput, "no file of a key", at: path, remedy: "Name a file in PEM form")
        }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        let count = try bytes.withUnsafeMutableBytes { try file.read(at: 0, into: $0) }
        return (String(decoding: bytes[..<count], as: UTF8.self), status.st_mode)
    }
}
