import Foundation

/// Lines over shared places on the horizontal axis, on a logarithmic vertical axis.
struct LineChart {
    struct Line {
        let name: String
        /// By place; what is not above zero is left out.
        let values: [Double]
    }
    let lines: [Line]
    /// Names of the places, as many as values.
    let places: [String]
    let horizontal: String
    let vertical: String

    private static let (width, height) = (720.0, 320.0)
    private static let (left, right, top, bottom) = (62.0, 16.0, 14.0, 46.0)

    /// - Returns: an empty text where no line has a value.
    func svg() -> String {
        let values = lines.flatMap(\.values).filter { $0 > 0 && $0.isFinite }
        guard let least = values.min(), let most = values.max(), !places.isEmpty else { return "" }
        let low = log10(least).rounded(.down)
        let high = max(low + 1, log10(most).rounded(.up))
        let across = (Self.width - Self.left - Self.right) / Double(max(1, places.count - 1))
        func x(_ index: Int) -> Double { Self.left + across * Double(index) }
        func y(_ value: Double) -> Double {
            Self.top + (high - log10(value)) / (high - low) * (Self.height - Self.top - Self.bottom)
        }
        var body = ""
        let decades = Int(high - low)
        let everyDecade = max(1, (decades + 5) / 6)
        for decade in stride(from: 0, through: decades, by: everyDecade) {
            let value = pow(10, low + Double(decade))
            body += line(Self.left, y(value), Self.width - Self.right, y(value), "grid")
            body += text(Self.left - 8, y(value) + 4, power(Int(low) + decade), "end")
        }
        let step = max(1, (places.count + 15) / 16)
        for index in stride(from: 0, to: places.count, by: step) {
            body += text(x(index), Self.height - Self.bottom + 18, places[index], "middle")
        }
        body += text((Self.left + Self.width - Self.right) / 2, Self.height - 6, horizontal, "middle")
        for (number, line) in lines.enumerated() {
            let points = line.values.enumerated().filter { $0.element > 0 && $0.element.isFinite }
            let path = points.map { "\(place(x($0.offset))),\(place(y($0.element)))" }.joined(separator: " ")
            body +=
                "<polyline class=\"line c\(number % 8)\" fill=\"none\" stroke=\"currentColor\" points=\"\(path)\"/>\n"
            for point in points {
                let title = "\(line.name), \(horizontal) \(places[point.offset]): \(Figure.short(point.element))"
                body +=
                    "<circle class=\"dot c\(number % 8)\" fill=\"currentColor\" cx=\"\(place(x(point.offset)))\" cy=\"\(place(y(point.element)))\""
                    + " r=\"2.6\">" + HTML.element("title", [], HTML.escape(title)) + "</circle>\n"
            }
        }
        let picture = HTML.element(
            "svg",
            [
                ("class", "chart"), ("font-size", "11.5"), ("role", "img"),
                ("aria-label", "\(vertical) by \(horizontal)"),
                ("viewBox", "0 0 \(place(Self.width)) \(place(Self.height))"),
            ], "\n" + body)
        let key = lines.enumerated().map { number, line in
            HTML.element("span", [("class", "key c\(number % 8)")], HTML.escape(line.name))
        }
        return HTML.element(
            "figure", [],
            HTML.element("figcaption", [], HTML.escape(vertical) + " " + key.joined(separator: " ")) + picture)
    }

    private func power(_ exponent: Int) -> String {
        (-3...3).contains(exponent) ? Figure.fixed(pow(10, Double(exponent)), max(0, -exponent)) : "1e\(exponent)"
    }

    private func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ kind: String) -> String {
        "<line class=\"\(kind)\" x1=\"\(place(x1))\" y1=\"\(place(y1))\" x2=\"\(place(x2))\" y2=\"\(place(y2))\"/>\n"
    }

    private func text(_ x: Double, _ y: Double, _ content: String, _ anchor: String) -> String {
        "<text class=\"axis\" x=\"\(place(x))\" y=\"\(place(y))\" text-anchor=\"\(anchor)\">"
            + HTML.escape(content) + "</text>\n"
    }

    private func place(_ value: Double) -> String { Figure.fixed(value, 1) }
}
