import Foundation
import QuernFormats

extension Fields {
    /// Sequences inside sequences.
    private static let maximumDepth = 16

    /// The steps of a `normalizer`, sequences laid out flat.
    func normalizers(depth: Int = 0) throws -> [any Normalizer] {
        let type = try string("type")
        switch type {
        case "Sequence":
            guard depth < Self.maximumDepth else { throw fault("sequences nested too deep") }
            return try objects("normalizers").flatMap { try $0.normalizers(depth: depth + 1) }
        case "NFC", "NFD", "NFKC", "NFKD":
            return UnicodeNormalizer.Form(rawValue: type).map { [UnicodeNormalizer(form: $0)] } ?? []
        case "Lowercase", "StripAccents", "Nmt":
            return CharacterNormalizer.Change(rawValue: type).map { [CharacterNormalizer(change: $0)] } ?? []
        case "Strip":
            return [
                StripNormalizer(
                    left: try bool("strip_left", default: true), right: try bool("strip_right", default: true))
            ]
        case "Prepend":
            return [PrependNormalizer(prefix: Array(try string("prepend").utf8))]
        case "Replace":
            return [ReplaceNormalizer(pattern: try pattern(), content: Array(try string("content").utf8))]
        case "ByteLevel":
            return [ByteLevelNormalizer()]
        case "Bert", "BertNormalizer":
            let lowercases = try bool("lowercase", default: true)
            return [
                BertNormalizer(
                    cleansText: try bool("clean_text", default: true),
                    isolatesChinese: try bool("handle_chinese_chars", default: true),
                    stripsAccents: try bool("strip_accents", default: lowercases), lowercases: lowercases)
            ]
        case "Precompiled":
            guard let map = Data(base64Encoded: try string("precompiled_charsmap")) else {
                throw fault("'precompiled_charsmap' is no base64")
            }
            return [try PrecompiledCharsmap([UInt8](map))]
        default:
            throw fault("the normalizer \(type.quotedForMessage) is unknown", .unsupported)
        }
    }
}
