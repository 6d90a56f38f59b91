/// Which layers something is meant for, as configurations of compressed-tensors and recipes say it: a name in full, or
/// `re:` and a regular expression that names begin with.
public enum LayerPattern {
    case name(String)
    case expression(Regex<AnyRegexOutput>)

    /// - Throws: `QuernError` `.usage` for what is no regular expression.
    public init(_ text: String) throws(QuernError) {
        guard text.hasPrefix("re:") else {
            self = .name(text)
            return
        }
        try PatternCost.check(text)
        do {
            self = .expression(try Regex(String(text.dropFirst(3))).matchingSemantics(.unicodeScalar))
        } catch {
            throw QuernError(
                .usage, "\(text.quotedForMessage) is no regular expression: \(error)",
                remedy: #"Write it like re:.*mlp\.down_proj"#)
        }
    }

    public func matches(_ layer: String) -> Bool {
        switch self {
        case .name(let name): name == layer
        case .expression(let expression): layer.prefixMatch(of: expression) != nil
        }
    }
}

/// Layers by their names.
public enum LayerName {
    /// The layer whose weights a tensor holds, where these are of floating point and may be those of a linear layer; nil
    /// for embeddings, norms, biases and convolutions. Names and shapes have to do, since any architecture may come.
    public static func linear(_ tensor: SafetensorsTensor) -> String? {
        guard tensor.name.hasSuffix(".weight"), tensor.shape.count == 2, tensor.shape.allSatisfy({ $0 > 0 }),
            [.f32, .f16, .bf16].contains(tensor.type)
        else { return nil }
        let layer = String(tensor.name.dropLast(".weight".count))
        guard let last = layer.split(separator: ".").last else { return nil }
        return last.contains("embed") || ["wte", "wpe"].contains(last) ? nil : layer
    }

    /// `a.b.weight` as `a.b` and `weight`; nothing and all of it without a dot.
    public static func split(_ name: String) -> (parent: String, last: String) {
        guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")) else { return ("", name) }
        return (String(name[..<dot]), String(name[name.utf8.index(after: dot)...]))
    }

    /// The layer of a tensor, and the rest of its name: what follows the last dot, or `weight.` and what follows that.
    public static func component(_ name: String) -> (layer: String, rest: String) {
        let (parent, last) = split(name)
        guard parent.utf8.contains(UInt8(ascii: ".")), let range = name.range(of: ".weight.") else {
            return (parent, last)
        }
        return (String(name[..<range.lowerBound]), "weight." + name[range.upperBound...])
    }

    /// The place of an expert in a name: what stands before its number, the number, and what stands after it.
    public static func expert(in name: String) -> (list: Substring, number: Int, rest: Substring)? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        for (part, next) in zip(parts, parts.dropFirst()) where part.hasSuffix("experts") {
            guard next.allSatisfy(\.isASCII), let number = Int(next), number >= 0 else { continue }
            return (name[..<part.endIndex], number, name[next.endIndex...])
        }
        return nil
    }
}
