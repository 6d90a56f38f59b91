import QuernFormats
import QuernJobs

/// A user's rule for tensors whose name a regular expression finds something in, without regard to case, since
/// llama-quantize lower-cases patterns.
struct TensorNameRule {
    let type: ElementType
    private let matcher: Matcher

    private enum Matcher {
        /// A pattern without operators: its bytes, in lower case.
        case literal([UInt8])
        case expression(Regex<AnyRegexOutput>)
    }

    /// - Throws: `QuernError` `.usage` for a pattern that is no regular expression.
    init(_ rule: Recipe.TensorRule) throws {
        type = rule.type
        if let literal = Self.literal(rule.pattern) {
            matcher = .literal(literal)
            return
        }
        do {
            matcher = .expression(try Regex(rule.pattern).ignoresCase().matchingSemantics(.unicodeScalar))
        } catch {
            throw QuernError(
                .usage, "the tensor pattern '\(rule.pattern)' is no regular expression: \(error)",
                remedy: #"Write it like attn_v or blk\.[0-3]\.ffn_.*"#)
        }
    }

    func matches(_ name: String) -> Bool {
        switch matcher {
        case .literal(let bytes): Array(name.lowercased().utf8).contains(part: bytes)
        case .expression(let expression): name.firstMatch(of: expression) != nil
        }
    }

    /// Files of rules name hundreds of tensors one by one; looking for bytes is a thousand times as fast there.
    private static func literal(_ pattern: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = Array(pattern.lowercased().utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\") {
                guard rest.popFirst() == UInt8(ascii: ".") else { return nil }
                bytes.append(UInt8(ascii: "."))
            } else {
                guard isPlain(byte) else { return nil }
                bytes.append(byte)
            }
        }
        return bytes.isEmpty ? nil : bytes
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
