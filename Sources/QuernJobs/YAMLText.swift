import QuernFormats
import Yams

/// YAML of strangers.
package enum YAMLText {
    /// The nodes of a text; nil where it holds nothing.
    ///
    /// Texts with aliases are refused: few lines of them stand for any number of nodes, and whoever walks these does not
    /// come to an end. The parser itself does, where it looks for keys that are there twice.
    /// - Parameter name: what to call the text in messages.
    /// - Throws: `QuernError` `.usage`.
    package static func compose(_ text: String, name: String) throws -> Node? {
        if let anchor = anchorWithAlias(in: text) {
            throw QuernError(
                .usage, "not valid YAML: there are no aliases here, such as *\(anchor)", at: name,
                remedy: "Write out what &\(anchor) stands for")
        }
        do {
            return try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw QuernError(error, in: name)
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
