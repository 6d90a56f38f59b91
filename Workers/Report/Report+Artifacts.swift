import Foundation
import QuernFormats
import QuernJobs

extension Report {
    /// Sizes of all artifacts, and how far each is from the source where that was measured.
    var artifactTable: String {
        let measured = Dictionary(
            (results.evaluation?.candidates ?? []).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let isMeasured = !measured.isEmpty
        let rows = manifest.artifacts.map { artifact in
            let summary = measured[artifact.target]
            let figures = [
                summary.map { Figure.short($0.divergence.mean.value) } ?? "–",
                summary.map { Figure.percent($0.sameTop.value) } ?? "–",
                summary.map { Figure.percent($0.ratio.value - 1) } ?? "–",
            ]
            return [HTML.escape(artifact.target)]
                + [Figure.bytes(artifact.size), Figure.fixed(artifact.bitsPerWeight, 2)].map(HTML.escape)
                + (isMeasured ? figures.map(HTML.escape) : [])
        }
        let head =
            ["Target", "Size", "Bits per weight"]
            + (isMeasured ? ["Mean divergence", "Same top token", "Perplexity, change"] : [])
        return HTML.section("Artifacts", HTML.table(head, rows))
    }

    /// One artifact: types, errors and every tensor.
    func artifact(_ artifact: Manifest.Artifact) -> String {
        let tensors = artifact.tensors
        let grid = TensorGrid(tensors)
        let names = artifact.files.map { "\($0.name), \(Figure.bytes($0.size))" }
        let shown = names.prefix(8) + (names.count > 8 ? ["and \(names.count - 8) more files"] : [])
        var content = HTML.element("p", [("class", "note")], shown.map(HTML.escape).joined(separator: " · "))
        if !grid.rows.isEmpty {
            content += caption("Types by layer", key: typeKey(tensors))
            content += map(grid, "Types of \(artifact.target) by kind of tensor and layer") { tensor in
                let (fill, text) = Self.colour(ofBits: tensor.bits)
                return HeatMap.Cell(fill: fill, text: text, label: tensor.numbers, title: Self.title(tensor))
            }
            content += errors(grid, of: artifact)
        }
        content += others(grid)
        content += HTML.element(
            "details", [],
            HTML.element("summary", [], "All \(tensors.count) tensors")
                + HTML.table(["Tensor", "Shape", "Type", "Bytes", "Relative error"], tensors.map(Self.row)))
        return HTML.section(artifact.target, content)
    }

    /// Where encoding lost most.
    private func errors(_ grid: TensorGrid, of artifact: Manifest.Artifact) -> String {
        let lossy = grid.rows.flatMap(\.tensors.values).map(\.error).filter { $0 > 0 && $0.isFinite }
        guard let least = lossy.min(), let most = lossy.max() else {
            return HTML.element("p", [("class", "note")], "Encoding lost nothing.")
        }
        // At least a factor of two across, so that what is nearly the same looks nearly the same.
        let (low, high) = (log2(least), max(log2(most), log2(least) + 1))
        let key = [0, 0.25, 0.5, 0.75, 1].map { place in
            Self.chip(ColourScale.errors.colour(at: place), Figure.short(exp2(low + place * (high - low)) * 100))
        }
        return caption("Relative error of encoding, in percent", key: key.joined())
            + map(grid, "Relative error of \(artifact.target) by kind of tensor and layer") { tensor in
                let colour =
                    tensor.error > 0
                    ? ColourScale.errors.colour(at: (log2(tensor.error) - low) / (high - low))
                    : (fill: ColourScale.neutral, text: "#111")
                return HeatMap.Cell(
                    fill: colour.fill, text: colour.text, label: Figure.short(tensor.error * 100),
                    title: Self.title(tensor))
            }
    }

    private func map(
        _ grid: TensorGrid, _ description: String, cell: (AssembledTensor) -> HeatMap.Cell
    ) -> String {
        HeatMap(
            rows: grid.rows.map(\.kind), columns: grid.layers.map(String.init),
            cells: grid.rows.map { row in grid.layers.map { row.tensors[$0].map(cell) } }, description: description
        ).svg()
    }

    private func others(_ grid: TensorGrid) -> String {
        var parts = grid.others.prefix(24).map { tensor in
            HTML.escape(tensor.name) + " " + Self.chip(Self.colour(ofBits: tensor.bits), tensor.numbers)
        }
        if grid.others.count > parts.count { parts.append("and \(grid.others.count - parts.count) more") }
        if grid.vectors > 0 { parts.append("\(grid.vectors) tensor\(grid.vectors == 1 ? "" : "s") of one dimension") }
        guard !parts.isEmpty else { return "" }
        return HTML.element("p", [("class", "note")], "Beside them: " + parts.joined(separator: " · "))
    }

    private func typeKey(_ tensors: [AssembledTensor]) -> String {
        var kinds: [String: (bits: Double, bytes: UInt64)] = [:]
        for tensor in tensors { kinds[tensor.numbers, default: (tensor.bits, 0)].bytes &+= tensor.bytes }
        return kinds.sorted { ($0.value.bits, $0.key) < ($1.value.bits, $1.key) }
            .map { kind, size in
                Self.chip(Self.colour(ofBits: size.bits), kind) + " " + HTML.escape(Figure.bytes(size.bytes))
            }
            .joined(separator: " ")
    }

    private func caption(_ title: String, key: String) -> String {
        HTML.element("h3", [], HTML.escape(title)) + HTML.element("p", [("class", "keys")], key) + "\n"
    }

    private static func colour(ofBits bits: Double) -> (fill: String, text: String) {
        bits > 16 ? (ColourScale.neutral, "#111") : ColourScale.bits.colour(at: ColourScale.place(ofBits: bits))
    }

    static func chip(_ colour: (fill: String, text: String), _ text: String) -> String {
        HTML.element(
            "span", [("class", "chip"), ("style", "background:\(colour.fill);color:\(colour.text)")], HTML.escape(text))
    }

    private static func title(_ tensor: AssembledTensor) -> String {
        "\(tensor.name): \(tensor.numbers), \(Figure.bytes(tensor.bytes)), relative error \(Figure.short(tensor.error))"
    }

    private static func row(_ tensor: AssembledTensor) -> [String] {
        [
            tensor.name, tensor.shape.map(String.init).joined(separator: " × "), "\(tensor.type)",
            String(tensor.bytes), Figure.short(tensor.error),
        ].map(HTML.escape)
    }
}
