import Foundation

/// Text of a page. Whatever comes from a file passes through `escape`.
enum HTML {
    /// Safe within elements and within quoted attributes.
    static func escape(_ text: String) -> String {
        var escaped = ""
        escaped.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            // Characters that no page may have.
            case "\0"..."\u{8}", "\u{B}", "\u{C}", "\u{E}"..."\u{1F}", "\u{7F}"..."\u{9F}": escaped += "\u{FFFD}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// - Parameters:
    ///   - attributes: names with values that are not escaped yet.
    ///   - content: of elements and escaped text.
    static func element(_ name: String, _ attributes: [(String, String)] = [], _ content: String = "") -> String {
        "<\(name)\(attributes.map { " \($0)=\"\(escape($1))\"" }.joined())>\(content)</\(name)>"
    }

    /// - Parameters:
    ///   - head: titles of columns, not escaped yet; the first column is text, the others are figures.
    ///   - rows: cells of elements and escaped text.
    static func table(_ head: [String], _ rows: [[String]]) -> String {
        let titles = head.map { element("th", [("scope", "col")], escape($0)) }.joined()
        let body = rows.map { row in
            element(
                "tr", [],
                row.enumerated().map { $0 == 0 ? element("th", [("scope", "row")], $1) : element("td", [], $1) }
                    .joined())
        }
        let table = element(
            "table", [],
            element("thead", [], element("tr", [], titles)) + element("tbody", [], body.joined(separator: "\n")))
        return element("div", [("class", "wide")], table)
    }

    /// A page that needs nothing else.
    /// - Parameter body: of elements.
    static func page(title: String, _ body: String) -> String {
        let head = [element("title", [], escape(title)), element("style", [], "\n" + ReportStyle.sheet)]
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            \(head.joined(separator: "\n"))
            </head>
            <body>
            <main>
            \(body)</main>
            </body>
            </html>

            """
    }

    /// The top of a page; nothing is escaped yet.
    static func header(kicker: String, title: String, lead: String, facts: [(String, String)]) -> String {
        let list = facts.map { element("dt", [], escape($0)) + element("dd", [], escape($1)) }
        return element(
            "header", [],
            element("p", [("class", "kicker")], escape(kicker)) + element("h1", [], escape(title))
                + element("p", [("class", "lead")], escape(lead)) + element("dl", [], list.joined())) + "\n"
    }

    /// What is above a map.
    /// - Parameter key: what its colours mean: elements and escaped text.
    static func caption(_ title: String, key: String) -> String {
        element("h3", [], escape(title)) + element("p", [("class", "keys")], key) + "\n"
    }

    /// A few words on a colour.
    static func chip(_ colour: (fill: String, text: String), _ text: String) -> String {
        element(
            "span", [("class", "chip"), ("style", "background:\(colour.fill);color:\(colour.text)")], escape(text))
    }

    static func section(_ title: String, _ content: String) -> String {
        element("section", [], element("h2", [], escape(title)) + "\n" + content) + "\n"
    }
}

/// How figures are written.
enum Figure {
    static func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

    /// Three or so significant digits, whatever the magnitude: `0.00123`, `12.3`, `4.5e-07`.
    static func short(_ value: Double) -> String {
        if value == 0 || !value.isFinite { return value == 0 ? "0" : "–" }
        let magnitude = abs(value)
        if magnitude < 1e-4 || magnitude >= 1e6 { return String(format: "%.1e", value) }
        let digits = max(0, 2 - Int(log10(magnitude).rounded(.down)))
        return fixed(value, min(digits, 6))
    }

    static func percent(_ share: Double, _ digits: Int = 2) -> String { fixed(share * 100, digits) + " %" }

    /// `4.58 GB`: decimal units.
    static func bytes(_ bytes: UInt64) -> String {
        var value = Double(bytes)
        var units = ["B", "kB", "MB", "GB", "TB", "PB"][...]
        while value >= 999.5, units.count > 1 {
            value /= 1000
            units = units.dropFirst()
        }
        return fixed(value, units.first == "B" || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2) + " "
            + (units.first ?? "")
    }
}
