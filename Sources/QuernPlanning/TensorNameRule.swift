import QuernFormats
import QuernJobs

/// A user's rule for tensors whose name a regular expression finds something in, without regard to case, since
/// llama-quantize lower-cases patterns.
struct TensorNameRule {
    let type: ElementType
    private let matcher: Matcher

    private enum Matcher {
        case plain(PlainPattern)
        case expression(Regex<AnyRegexOutput>)
    }

    /// - Throws: `QuernError` `.usage` for a pattern that is no regular expression.
    init(_ rule: Recipe.TensorRule) throws {
        type = rule.type
        if let plain = PlainPattern(rule.pattern) {
            matcher = .plain(plain)
            return
        }
        try PatternCost.check(rule.pattern, "the tensor pattern ")
        do {
            matcher = .expression(try Regex(rule.pattern).ignoresCase().matchingSemantics(.unicodeScalar))
        } catch {
            throw QuernError(
                .usage, "the tensor pattern '\(rule.pattern)' is no regular expression: \(error)",
                remedy: #"Write it like attn_v or blk\.[0-3]\.ffn_.*"#)
        }
    }

    /// - Parameter name: a tensor's name as UTF-8.
    func matches(_ name: [UInt8]) -> Bool {
        switch matcher {
        case .plain(let pattern): pattern.occurs(in: name)
        case .expression(let expression): String(decoding: name, as: UTF8.self).firstMatch(of: expression) != nil
        }
    }
}

/// A regular expression of letters, digits, `_`, `-`, dots and anchors. Files of rules hold hundreds of such, one for
/// each tensor; comparing bytes keeps planning fast there.
private struct PlainPattern {
    /// Bytes in lower case; nil stands for any byte.
    private let bytes: [UInt8?]
    private let isAtStart: Bool
    private let isAtEnd: Bool

    init?(_ pattern: String) {
        var rest = Array(pattern.lowercased().utf8)[...]
        isAtStart = rest.first == UInt8(ascii: "^")
        if isAtStart { rest.removeFirst() }
        isAtEnd = rest.last == UInt8(ascii: "$")
        if isAtEnd { rest.removeLast() }
        var bytes: [UInt8?] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "."): bytes.append(nil)
            case UInt8(ascii: "\\"):
                guard rest.popFirst() == UInt8(ascii: ".") else { return nil }
                bytes.append(UInt8(ascii: "."))
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                bytes.append(byte)
            default: return nil
            }
        }
        guard !bytes.isEmpty else { return nil }
        self.bytes = bytes
    }

    func occurs(in name: [UInt8]) -> Bool {
        let last = name.count - bytes.count
        guard last >= 0 else { return false }
        if isAtStart { return (last == 0 || !isAtEnd) && occurs(in: name, at: 0) }
        return ((isAtEnd ? last : 0)...last).contains { occurs(in: name, at: $0) }
    }

    private func occurs(in name: [UInt8], at start: Int) -> Bool {
        bytes.indices.allSatisfy { index in
            guard let wanted = bytes[index] else { return true }
            let byte = name[start + index]
            let isCapital = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            return (isCapital ? byte | 0x20 : byte) == wanted
        }
    }
}
