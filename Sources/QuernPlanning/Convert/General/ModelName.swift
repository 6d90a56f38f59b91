/// What the name of a model tells: `org/Base-3.1-8B-Instruct-v0.2` and the like. The heuristics, and their order, are
/// those of the reference converter, so that the keys come out the same.
package struct ModelName: Equatable {
    /// The name without the organization.
    package var full: String
    package var organization: String?
    package var basename: String?
    package var finetune: String?
    package var version: String?
    package var sizeLabel: String?

    private enum Kind { case basename, size, finetune, version, type }

    /// - Parameter parameters: elements of the model, to tell a size from a context length; 0 where unknown.
    package init(_ id: String, parameters: Int) {
        guard !id.contains(" ") else {
            full = id
            return
        }
        if let slash = id.firstIndex(of: "/") {
            let owner = String(id[..<slash])
            organization = owner.hasPrefix(".") ? nil : owner
            full = String(id[id.index(after: slash)...])
        } else {
            full = id
        }
        annotate(full.split(separator: "-").map(String.init), parameters: parameters)
    }

    private mutating func annotate(_ nameParts: [String], parameters: Int) {
        var parts = nameParts
        var kinds = [Set<Kind>](repeating: [], count: parts.count)
        for index in parts.indices {
            let part = parts[index]
            if part.wholeMatch(of: /(?i)(v|iter)?\d+([.]\d+)*/) != nil {
                kinds[index] = [.version]
            } else if part.wholeMatch(of: /(?i)i?q\d(_\w)*|b?fp?(16|32)/) != nil {
                kinds[index] = [.type]
                parts[index] = part.uppercased()
            } else if index > 0, Self.looksLikeSize(part) {
                let label = Self.normalized(part)
                if let size = Self.parameters(of: label), parameters != 0,
                    abs(size - Double(parameters)) > (Double(parameters) * 7 / 8).rounded(.down)
                {
                    // Far from the model's size: likely a context length.
                    kinds[index] = [.finetune]
                    parts[index] = label.dropLast() + label.suffix(1).lowercased()
                } else {
                    kinds[index] = [.size]
                    parts[index] = label
                }
            } else if index > 0, part.wholeMatch(of: /(?i)chat|instruct|vision|lora/) != nil {
                kinds[index] = [.finetune]
            }
        }
        dropWordSizes(parts, &kinds)
        markBasename(parts, &kinds)

        func joined(_ included: (Set<Kind>) -> Bool) -> String? {
            let chosen = zip(parts, kinds).filter { included($0.1) }.map(\.0)
            return chosen.isEmpty ? nil : chosen.joined(separator: "-")
        }
        finetune = joined { $0.contains(.finetune) }
        version = joined { $0.contains(.version) && !$0.contains(.basename) }
        var sizes: [String] = []
        for (part, kind) in zip(parts, kinds) where kind.contains(.size) && !sizes.contains(part) { sizes.append(part) }
        sizeLabel = sizes.isEmpty ? nil : sizes.joined(separator: "-")
        // A name without any other part is too ambiguous to call it a base.
        if sizeLabel != nil || finetune != nil || version != nil { basename = joined { $0.contains(.basename) } }
    }

    /// "small" and "large" are no sizes beside a number.
    private func dropWordSizes(_ parts: [String], _ kinds: inout [Set<Kind>]) {
        let hasNumber = zip(parts, kinds).contains { part, kind in
            kind.contains(.size) && part.contains(where: \.isWholeNumber)
        }
        guard hasNumber else { return }
        for index in parts.indices where parts[index].allSatisfy(\.isLetter) { kinds[index].remove(.size) }
    }

    /// The base is what stands first, with its versions; a version at the end is the version.
    private func markBasename(_ parts: [String], _ kinds: inout [Set<Kind>]) {
        var atStart = true
        for index in parts.indices {
            let startsWithLetter = parts[index].first?.isLetter ?? false
            if atStart, (kinds[index].isEmpty && startsWithLetter) || kinds[index].contains(.version) {
                kinds[index].insert(.basename)
            } else {
                atStart = false
                if kinds[index].isEmpty { kinds[index].insert(.finetune) }
            }
        }
        for index in parts.indices.reversed() {
            guard kinds[index].contains(.basename), kinds[index].count > 1 else { break }
            kinds[index].remove(.basename)
        }
    }

    private static func looksLikeSize(_ part: String) -> Bool {
        part.wholeMatch(of: /(?i)(A|\d+x)?\d+([._]\d+)?[KMBT]\d?|small|mini|medium|large|x?xl/) != nil
    }

    /// "7b" is 7B, "1_5b" is 1.5B, and "7b1", as Bloom has it, is 7.1B.
    private static func normalized(_ part: String) -> String {
        var label = Array(part.replacing("_", with: "."))
        if let last = label.last, last.isWholeNumber, label.count > 2 {
            label = label.dropLast(2) + [".", last, label[label.count - 2]]
        }
        if label.count > 1, label[label.count - 2].isWholeNumber, let last = label.last, "kmbt".contains(last) {
            label[label.count - 1] = Character(last.uppercased())
        }
        return String(label)
    }

    /// - Returns: nil for labels that are no plain number with a unit, such as "small" and "8x7B".
    private static func parameters(of label: String) -> Double? {
        guard let unit = label.last, let number = Double(label.dropLast()) else { return nil }
        let scales: [Character: Double] = ["K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12]
        return scales[unit].map { number * $0 }
    }
}

extension ModelName {
    /// "llama-3.1-8b" becomes "Llama 3.1 8b": words in lower case get capitals unless they are versions or numbers.
    package static func title(_ id: String) -> String {
        id.split(whereSeparator: { $0 == "-" || $0.isWhitespace })
            .map { word in
                let text = String(word)
                guard isLower(text), text.wholeMatch(of: /v\d+(?:\.\d+)*|\d.*/) == nil else { return text }
                return capitalized(text)
            }
            .joined(separator: " ")
    }

    private static func isLower(_ word: String) -> Bool {
        word.contains(where: \.isLowercase) && !word.contains(where: \.isUppercase)
    }

    /// A capital wherever letters begin, so also after digits and points.
    private static func capitalized(_ word: String) -> String {
        var result = ""
        var insideWord = false
        for character in word {
            result += insideWord ? character.lowercased() : character.uppercased()
            insideWord = character.isLetter
        }
        return result
    }
}
