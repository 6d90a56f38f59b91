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
        let vertical = Decades(least, most)
        let across = (Self.width - Self.left - Self.right) / Double(max(1, places.count - 1))
        func x(_ index: Int) -> Double { Self.left + across * Double(index) }
        func y(_ value: Double) -> Double {
            Self.top + vertical.place(value) * (Self.height - Self.top - Self.bottom)
        }
        var body = ChartParts.levels(vertical, from: Self.left, to: Self.width - Self.right, y)
        let step = max(1, (places.count + 15) / 16)
        for index in stride(from: 0, to: places.count, by: step) {
            body += ChartParts.text(x(index), Self.height - Self.bottom + 18, places[index], "middle")
        }
        body += ChartParts.text((Self.left + Self.width - Self.right) / 2, Self.height - 6, horizontal, "middle")
        for (number, line) in lines.enumerated() {
            let points = line.values.enumerated().filter { $0.element > 0 && $0.element.isFinite }
            body += ChartParts.polyline(points.map { (x($0.offset), y($0.element)) }, colour: number)
            for point in points {
                let title = "\(line.name), \(horizontal) \(places[point.offset]): \(Figure.short(point.element))"
                body +=
                    "<circle class=\"dot c\(number % 8)\" fill=\"currentColor\" cx=\"\(ChartParts.place(x(point.offset)))\" cy=\"\(ChartParts.place(y(point.element)))\""
                    + " r=\"2.6\">" + HTML.element("title", [], HTML.escape(title)) + "</circle>\n"
            }
        }
        return ChartParts.figure(
            body, size: (Self.width, Self.height), caption: self.vertical,
            description: "\(self.vertical) by \(horizontal)",
            key: lines.enumerated().map { ($1.name, $0) })
    }
}
