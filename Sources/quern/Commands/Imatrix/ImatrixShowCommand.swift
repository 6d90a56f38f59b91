import ArgumentParser
import QuernFormats
import QuernModel

struct ImatrixShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show what an importance matrix says about every tensor.",
        discussion: """
            Example: quern imatrix show tiny-llama.imatrix.gguf

            A file of statistics (imatrix compute … --statistics FILE) is shown likewise, and whether it has Gram matrices.

            Σ(act²): sum of the channels' mean squares; ZD: share of channels more than a standard deviation above the \
            mean; cosine: with the same tensor one layer before.
            """)

    @Argument(help: "An importance matrix file, GGUF or legacy, or a statistics file.", completion: .file())
    var file: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let report = try report()
        if json { return try Console.json(report) }
        let source = report.datasets.isEmpty ? "" : " of \(report.datasets.joined(separator: ", "))"
        Console.line(
            "\(report.tensors.count) tensors, \(report.chunks) chunks of \(report.chunkTokens) tokens\(source)\n")
        let head = [
            "layer", "tensor", "Σ(act²)", "min", "max", "μ", "σ", "active", "N", "entropy", "of max", "ZD", "cosine",
        ]
        let rows = report.tensors.map { tensor in
            [
                tensor.layer.map(String.init) ?? "–", tensor.kind, Console.fixed(tensor.sum, digits: 2),
                Console.fixed(tensor.minimum, digits: 4), Console.fixed(tensor.maximum, digits: 4),
                Console.fixed(tensor.mean, digits: 2), Console.fixed(tensor.deviation, digits: 2),
                percent(tensor.active), String(tensor.count), Console.fixed(tensor.entropy, digits: 4),
                percent(tensor.normalizedEntropy), percent(tensor.outliers),
                Console.fixed(tensor.similarity, digits: 4),
            ]
        }
        Console.line(Console.table([head] + rows, rightAligned: Set(head.indices).subtracting([1])))
        let layers = report.layers.map {
            [
                String($0.layer), Console.fixed($0.sum, digits: 2), percent($0.outliers),
                Console.fixed($0.similarity, digits: 4),
            ]
        }
        Console.line("")
        Console.line(Console.table([["layer", "Σ(act²)", "ZD", "cosine"]] + layers, rightAligned: [0, 1, 2, 3]))
        if !report.experts.isEmpty { showExperts(report) }
        if let gram = report.gram { show(gram) }
        for warning in report.warnings { Console.error("quern: warning: \(warning)") }
    }

    private func report() throws -> ImatrixReport {
        let source = try FileByteSource(path: file)
        // The JSON of a safetensors header follows its length; there is no such byte in the other forms.
        let isStatistics = try source.size > 8 && source.bytes(at: 8, count: 1) == [UInt8(ascii: "{")]
        return isStatistics
            ? ImatrixReport(try StatisticsFile.read(from: source)) : ImatrixReport(try ImatrixFile.read(from: source))
    }

    private func show(_ gram: ImatrixReport.Gram) {
        let blocks =
            gram.whole == gram.inputs
            ? "all in full"
            : "\(gram.whole) in full, \(gram.inputs - gram.whole) in blocks of at most \(gram.widestBlock) columns"
        Console.line("")
        Console.line("Gram matrices of \(gram.inputs) inputs, \(blocks): \(Console.size(gram.bytes))")
    }

    private func showExperts(_ report: ImatrixReport) {
        let rows = report.experts.map { coverage in
            [
                coverage.name, "\(coverage.experts - coverage.missing.count) of \(coverage.experts)",
                Console.fixed(coverage.least, digits: 0), Console.fixed(coverage.median, digits: 1),
                Console.fixed(coverage.most, digits: 0),
            ]
        }
        Console.line("")
        Console.line(
            Console.table(
                [["experts", "reached", "least rows", "median", "most"]] + rows, rightAligned: [1, 2, 3, 4]))
    }

    private func percent(_ share: Double) -> String { Console.fixed(100 * share, digits: 2) + "%" }
}
