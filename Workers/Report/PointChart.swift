import Foundation

/// Points and lines over a linear horizontal axis, on a logarithmic vertical axis.
struct PointChart {
    struct Point {
        /// What is written beside it, where there is room; empty for nothing.
        let label: String
        /// What is said when it is pointed at.
        let title: String
        let x: Double
        /// What is not above zero is left out.
        let y: Double
    }
    enum Form { case line, rings, discs }
    struct Series {
        let name: String
        let form: Form
        let colour: Int
        /// Of a line, in ascending order of x.
        let points: [Point]
    }
    let series: [Series]
    let horizontal: String
    let vertical: String
    /// A second name of a place on the horizontal axis, below the number.
    let second: (Double) -> String

    private static let (width, height) = (760.0, 440.0)
    private static let (left, right, top, bottom) = (62.0, 24.0, 14.0, 62.0)

    /// - Returns: an empty text where nothing is above zero.
    func svg() -> String {
        let shown = series.map { series in
            (series, series.points.filter { $0.y > 0 && $0.y.isFinite && $0.x.isFinite })
        }
        let all = shown.flatMap(\.1)
        guard let least = all.map(\.y).min(), let most = all.map(\.y).max(), let first = all.map(\.x).min(),
            let last = all.map(\.x).max()
        else { return "" }
        let vertical = Decades(least, most)
        let step = last - first <= 4 ? 0.5 : last - first <= 12 ? 1 : ((last - first) / 8).rounded(.up)
        let (start, end) = (
            (first / step).rounded(.down), max((last / step).rounded(.up), (first / step).rounded(.down) + 1)
        )
        func x(_ value: Double) -> Double {
            Self.left + (value / step - start) / (end - start) * (Self.width - Self.left - Self.right)
        }
        func y(_ value: Double) -> Double {
            Self.top + vertical.place(value) * (Self.height - Self.top - Self.bottom)
        }
        var body = ChartParts.levels(vertical, from: Self.left, to: Self.width - Self.right, y)
        for tick in Int(start)...Int(end) {
            let value = Double(tick) * step
            let floor = Self.height - Self.bottom
            body += ChartParts.line(x(value), Self.top, x(value), floor, "grid")
            body += ChartParts.text(x(value), floor + 17, step < 1 ? Figure.fixed(value, 1) : "\(Int(value))", "middle")
            body += ChartParts.text(x(value), floor + 32, second(value), "middle")
        }
        body += ChartParts.text((Self.left + Self.width - Self.right) / 2, Self.height - 8, horizontal, "middle")
        var labels = Labels(
            x: Self.left...Self.width - Self.right, y: Self.top...Self.height - Self.bottom,
            obstacles: all.map { (x($0.x), y($0.y)) })
        for (series, points) in shown {
            let places = points.map { (x: x($0.x), y: y($0.y)) }
            if series.form == .line { body += ChartParts.polyline(places, colour: series.colour) }
            for (point, place) in zip(points, places) { body += dot(point, place, series) }
        }
        // The last series is the one that is asked about: its names come first.
        for (series, points) in shown.reversed() {
            for point in points where !point.label.isEmpty {
                guard let label = labels.put(point.label, at: (x(point.x), y(point.y))) else { continue }
                body += ChartParts.text(label.x, label.y, point.label, label.anchor, "mark c\(series.colour % 8)")
            }
        }
        return ChartParts.figure(
            body, size: (Self.width, Self.height), caption: self.vertical,
            description: "\(self.vertical) by \(horizontal)",
            key: shown.filter { !$0.1.isEmpty }.map { ($0.0.name, $0.0.colour) })
    }

    private func dot(_ point: Point, _ place: (x: Double, y: Double), _ series: Series) -> String {
        let (radius, fill) =
            switch series.form {
            case .line: (1.8, "currentColor")
            case .rings: (3.6, "none")
            case .discs: (4.4, "currentColor")
            }
        return "<circle class=\"c\(series.colour % 8)\" fill=\"\(fill)\" stroke=\"currentColor\""
            + " stroke-width=\"\(series.form == .rings ? "1.6" : "0")\" pointer-events=\"all\""
            + " cx=\"\(ChartParts.place(place.x))\" cy=\"\(ChartParts.place(place.y))\" r=\"\(radius)\">"
            + HTML.element("title", [], HTML.escape(point.title)) + "</circle>\n"
    }
}

/// Names beside points, none over another or over a point.
private struct Labels {
    private var taken: [(x: ClosedRange<Double>, y: ClosedRange<Double>)]
    private let x: ClosedRange<Double>
    private let y: ClosedRange<Double>

    init(x: ClosedRange<Double>, y: ClosedRange<Double>, obstacles: [(x: Double, y: Double)]) {
        (self.x, self.y) = (x, y)
        taken = obstacles.map { ($0.x - 2.5...$0.x + 2.5, $0.y - 2.5...$0.y + 2.5) }
    }

    /// - Returns: where its baseline begins or ends; nil where there is no room.
    mutating func put(
        _ label: String, at point: (x: Double, y: Double)
    ) -> (x: Double, y: Double, anchor: String)? {
        let width = 6.6 * Double(label.count)
        let shifts: [(Double, Double)] = [
            (8, 4), (7, -5), (-8, 4), (7, 13), (-7, -5), (-7, 13), (7, -16), (-7, -16), (7, 24),
        ]
        for (right, down) in shifts {
            let (start, base) = (point.x + right - (right < 0 ? width : 0), point.y + down)
            let box = (x: start...start + width, y: base - 9...base + 2)
            guard x.contains(box.x.lowerBound), x.contains(box.x.upperBound), y.contains(box.y.lowerBound),
                y.contains(box.y.upperBound),
                !taken.contains(where: { $0.x.overlaps(box.x) && $0.y.overlaps(box.y) })
            else { continue }
            taken.append(box)
            return (point.x + right, base, right < 0 ? "end" : "start")
        }
        return nil
    }
}
