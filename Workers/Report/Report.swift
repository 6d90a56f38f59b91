import QuernJobs

/// `report.html`: what a job made and how good it is, as one page that needs nothing else: no network, no scripts.
/// The same manifest and results give the same bytes.
public struct Report: Sendable {
    public static let fileName = "report.html"

    let manifest: Manifest
    let results: JobResults

    public init(manifest: Manifest, results: JobResults = JobResults()) {
        self.manifest = manifest
        self.results = results
    }

    public func html() -> String {
        HTML.page(
            title: name + " · Quern report",
            header + warnings + artifactTable + choice + evaluation + manifest.artifacts.map(artifact).joined()
                + coverage + sources)
    }

    /// What the artifacts are called, or else their source.
    var name: String { manifest.recipe.name ?? manifest.recipe.source }

    private var header: String {
        let targets = manifest.artifacts.map(\.target).joined(separator: ", ")
        let facts = [
            ("Source", "\(manifest.recipe.source), \(Figure.bytes(sourceBytes))"),
            ("Importance", manifest.statistics.map { "statistics \($0.hex.prefix(12))…" } ?? "none"),
            ("Encoder", manifest.encoder),
        ]
        return HTML.header(kicker: "Quern report", title: name, lead: targets, facts: facts)
    }

    private var warnings: String {
        guard !results.warnings.isEmpty else { return "" }
        let list = results.warnings.map { HTML.element("li", [], HTML.escape($0)) }
        return HTML.section("Warnings", HTML.element("ul", [], list.joined()))
    }

    private var sources: String {
        let rows = manifest.sources.map { source in
            [
                HTML.escape(source.name), HTML.escape(Figure.bytes(source.size)),
                HTML.element("code", [], HTML.escape(source.sha256.hex)),
            ]
        }
        return HTML.section("Source files", HTML.table(["File", "Size", "sha256"], rows))
    }

    private var sourceBytes: UInt64 { manifest.sources.reduce(0) { $0 &+ $1.size } }
}

extension Manifest.Artifact {
    var tensors: [AssembledTensor] { files.flatMap(\.tensors) }
    var size: UInt64 { files.reduce(0) { $0 &+ $1.size } }

    /// Bits of all tensors over the weights that they hold.
    var bitsPerWeight: Double {
        let (bits, elements) = tensors.reduce((0.0, 0.0)) { sum, tensor in
            (sum.0 + 8 * Double(tensor.bytes), sum.1 + tensor.elements)
        }
        return elements > 0 ? bits / elements : 0
    }
}

extension AssembledTensor {
    /// Weights of the model that it holds.
    var elements: Double { weights.map(Double.init) ?? shape.reduce(1) { $0 * Double($1) } }

    /// What its numbers are, for people: of packed weights the type says nothing.
    var numbers: String {
        switch weights {
        case nil: "\(type)"
        case 0: "scales"
        default: type == .element(.i32) || type == .stored(.u8) ? "\(Int(bits)) bit" : "\(type)"
        }
    }

    /// For one of its numbers, block scales included.
    var bits: Double {
        guard let weights, weights > 0 else { return type.bitsPerWeight }
        return 8 * Double(bytes) / Double(weights)
    }
}
