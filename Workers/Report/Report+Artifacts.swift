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
            let key = TypeKey(tensors.map { ($0.numbers, $0.bits, $0.bytes) })
            content += HTML.caption("Types by layer", key: key.html)
            content += grid.map("Types of \(artifact.target) by kind of tensor and layer", cell: Self.type)
            content += errors(grid, of: artifact)
        }
        content += grid.beside(Self.type)
        content += HTML.element(
            "details", [],
            HTML.element("summary", [], "All \(tensors.count) tensors")
                + HTML.table(["Tensor", "Shape", "Type", "Bytes", "Relative error"], tensors.map(Self.row)))
        return HTML.section(artifact.target, content)
    }

    private static func type(_ tensor: AssembledTensor) -> HeatMap.Cell {
        let (fill, text) = ColourScale.colour(ofBits: tensor.bits)
        return HeatMap.Cell(fill: fill, text: text, label: tensor.numbers, title: title(tensor))
    }

    /// Where encoding lost most.
    private func errors(_ grid: TensorGrid<AssembledTensor>, of artifact: Manifest.Artifact) -> String {
        guard let scale = LogScale(grid.rows.flatMap(\.tensors.values).map(\.error)) else {
            return HTML.element("p", [("class", "note")], "Encoding lost nothing.")
        }
        return HTML.caption("Relative error of encoding, in percent", key: scale.key { Figure.short($0 * 100) })
            + grid.map("Relative error of \(artifact.target) by kind of tensor and layer") { tensor in
                let colour = scale.colour(tensor.error)
                return HeatMap.Cell(
                    fill: colour.fill, text: colour.text, label: Figure.short(tensor.error * 100),
                    title: Self.title(tensor))
            }
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
