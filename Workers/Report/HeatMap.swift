/// Kinds of tensors down, layers across, a coloured cell for each tensor.
struct HeatMap {
    struct Cell {
        let fill: String
        let text: String
        /// What is written in the cell, where there is room.
        let label: String
        /// What is said when it is pointed at.
        let title: String
    }
    let rows: [String]
    let columns: [String]
    /// [row][column]
    let cells: [[Cell?]]
    /// What the picture shows, for those who do not see it.
    let description: String

    /// - Returns: an empty text where there are no rows.
    func svg() -> String {
        guard !rows.isEmpty else { return "" }
        let height = 22.0
        let longest = rows.map(\.count).max() ?? 0
        let margin = Double(min(longest, 32)) * 6.6 + 12
        let labels = cells.joined().compactMap { $0?.label.count }.max() ?? 0
        // Every layer gets the room its labels need, as long as the picture stays one that can be scrolled through.
        let wanted = Double(labels) * 5.8 + 8
        let width = columns.count <= 48 ? max(26, wanted) : columns.count <= 128 ? 14 : 8
        let hasLabels = width >= wanted
        let (full, tall) = (margin + width * Double(columns.count) + 2, height * Double(rows.count) + 22)
        var body = ""
        for (row, name) in rows.enumerated() {
            let y = height * Double(row) + 20
            let shown = name.count > 32 ? "…" + name.suffix(31) : name
            body += text(margin - 8, y + 15, shown, anchor: "end", kind: "name")
            for (column, cell) in cells[row].enumerated() {
                guard let cell else { continue }
                let x = margin + width * Double(column)
                let box =
                    "<rect x=\"\(place(x))\" y=\"\(place(y))\" width=\"\(place(width - 1))\" height=\"\(place(height - 1))\""
                    + " rx=\"2\" fill=\"\(cell.fill)\"/>"
                let label =
                    hasLabels
                    ? "<text x=\"\(place(x + (width - 1) / 2))\" y=\"\(place(y + 14.5))\" fill=\"\(cell.text)\""
                        + " text-anchor=\"middle\">"
                        + HTML.escape(cell.label) + "</text>" : ""
                body += "<g>" + HTML.element("title", [], HTML.escape(cell.title)) + box + label + "</g>\n"
            }
        }
        let step = max(1, Int((28 / width).rounded(.up)))
        for (column, name) in columns.enumerated() where column % step == 0 {
            body += text(margin + width * (Double(column) + 0.5), 13, name, anchor: "middle", kind: "axis")
        }
        let picture = HTML.element(
            "svg",
            [
                ("class", "map"), ("role", "img"), ("aria-label", description), ("width", place(full)),
                ("height", place(tall)), ("font-size", "10"), ("viewBox", "0 0 \(place(full)) \(place(tall))"),
            ], "\n" + body)
        return HTML.element("div", [("class", "wide")], picture)
    }

    private func text(_ x: Double, _ y: Double, _ content: String, anchor: String, kind: String) -> String {
        "<text class=\"\(kind)\" x=\"\(place(x))\" y=\"\(place(y))\" text-anchor=\"\(anchor)\">"
            + HTML.escape(content) + "</text>\n"
    }

    private func place(_ value: Double) -> String { Figure.fixed(value, 1) }
}
