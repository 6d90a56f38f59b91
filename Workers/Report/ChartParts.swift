import Foundation

/// What pictures with axes are drawn of.
enum ChartParts {
    /// A line across for each level, with its name before it.
    static func levels(_ vertical: Decades, from left: Double, to right: Double, _ y: (Double) -> Double) -> String {
        var body = ""
        for (value, name) in vertical.ticks {
            body += line(left, y(value), right, y(value), "grid")
            body += text(left - 8, y(value) + 4, name, "end")
        }
        return body
    }

    static func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ kind: String) -> String {
        "<line class=\"\(kind)\" x1=\"\(place(x1))\" y1=\"\(place(y1))\" x2=\"\(place(x2))\" y2=\"\(place(y2))\"/>\n"
    }

    static func text(_ x: Double, _ y: Double, _ content: String, _ anchor: String, _ kind: String = "axis") -> String {
        "<text class=\"\(kind)\" x=\"\(place(x))\" y=\"\(place(y))\" text-anchor=\"\(anchor)\">"
            + HTML.escape(content) + "</text>\n"
    }

    static func place(_ value: Double) -> String { Figure.fixed(value, 1) }

    /// A power of ten on an axis.
    static func power(_ exponent: Int) -> String {
        (-3...3).contains(exponent) ? Figure.fixed(pow(10, Double(exponent)), max(0, -exponent)) : "1e\(exponent)"
    }

    /// A line of points that are placed already.
    static func polyline(_ points: [(x: Double, y: Double)], colour: Int) -> String {
        let path = points.map { "\(place($0.x)),\(place($0.y))" }.joined(separator: " ")
        return "<polyline class=\"line c\(colour % 8)\" fill=\"none\" stroke=\"currentColor\" points=\"\(path)\"/>\n"
    }

    /// The picture with its caption and the key of its series.
    /// - Parameters:
    ///   - size: of the drawing; it is scaled to the page.
    ///   - key: names of series and their colours.
    static func figure(
        _ body: String, size: (width: Double, height: Double), caption: String, description: String,
        key: [(name: String, colour: Int)]
    ) -> String {
        let picture = HTML.element(
            "svg",
            [
                ("class", "chart"), ("font-size", "11.5"), ("role", "img"), ("aria-label", description),
                ("viewBox", "0 0 \(place(size.width)) \(place(size.height))"),
            ], "\n" + body)
        let names = key.map { HTML.element("span", [("class", "key c\($0.colour % 8)")], HTML.escape($0.name)) }
        return HTML.element(
            "figure", [],
            HTML.element("figcaption", [], HTML.escape(caption) + " " + names.joined(separator: " ")) + picture)
    }
}

/// Whole decades about some values.
struct Decades {
    let low: Double
    let high: Double

    init(_ least: Double, _ most: Double) {
        low = log10(least).rounded(.down)
        high = max(low + 1, log10(most).rounded(.up))
    }

    /// In [0, 1], from the top.
    func place(_ value: Double) -> Double { (high - log10(value)) / (high - low) }

    var ticks: [(value: Double, name: String)] {
        let count = Int(high - low)
        return stride(from: 0, through: count, by: max(1, (count + 5) / 6)).map { decade in
            (pow(10, low + Double(decade)), ChartParts.power(Int(low) + decade))
        }
    }
}
