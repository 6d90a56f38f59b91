extension String {
    /// In quotes, as it is shown: for names from hostile files in messages.
    package var quotedForMessage: String { "'\(shown(80))'" }

    /// Without characters that steer a terminal or turn the direction of text, and cut behind `limit` of them.
    func shown(_ limit: Int) -> String {
        guard utf8.count > limit || !utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) else { return self }
        let shown = unicodeScalars.prefix(limit).map { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: "\\u{\(String(scalar.value, radix: 16))}"
            default: String(scalar)
            }
        }
        return shown.joined() + (unicodeScalars.dropFirst(limit).isEmpty ? "" : "…")
    }
}
