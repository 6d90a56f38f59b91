import QuernFormats
import Yams

/// YAML of strangers.
package enum YAMLText {
    /// The nodes of a text; nil where it holds nothing.
    ///
    /// Texts with aliases are refused: few lines of them stand for any number of nodes, and whoever walks these does not
    /// come to an end. The parser itself does, where it looks for keys that are there twice. For that it takes the hash of
    /// every key, and of a list that is the key of a key and so on again each time: such keys are limited, too.
    /// - Parameter name: what to call the text in messages.
    /// - Throws: `QuernError` `.usage`.
    package static func compose(_ text: String, name: String) throws -> Node? {
        if let anchor = anchorWithAlias(in: text) {
            throw QuernError(
                .usage, "not valid YAML: there are no aliases here, such as *\(anchor)", at: name,
                remedy: "Write out what &\(anchor) stands for")
        }
        guard longKeyCount(in: Array(text.utf8)) <= maximumLongKeys else {
            throw QuernError(
                .usage, "not valid YAML: more than \(maximumLongKeys) keys behind question marks", at: name,
                remedy: "Write keys as words before a colon")
        }
        do {
            return try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw QuernError(error, in: name)
        }
    }

    /// Keys that may be lists and mappings of more than a line.
    private static let maximumLongKeys = 16

    /// How often the text has a question mark where a word may begin, as all such keys have.
    private static func longKeyCount(in text: [UInt8]) -> Int {
        text.indices.count { index in
            guard text[index] == UInt8(ascii: "?") else { return false }
            return index == 0 || text[index - 1] <= UInt8(ascii: " ") || "[{,:-?".utf8.contains(text[index - 1])
        }
    }

    /// A name that stands behind `&` as well as behind `*`, wherever that is: without one there is no alias.
    private static func anchorWithAlias(in text: String) -> String? {
        let anchors = names(behind: UInt8(ascii: "&"), in: text)
        guard !anchors.isEmpty else { return nil }
        return anchors.intersection(names(behind: UInt8(ascii: "*"), in: text)).min()
    }

    private static func names(behind sign: UInt8, in text: String) -> Set<String> {
        Set(
            text.utf8.split(separator: sign, omittingEmptySubsequences: false).dropFirst().map { rest in
                String(decoding: rest.prefix(while: isOfName), as: UTF8.self)
            }.filter { !$0.isEmpty })
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
