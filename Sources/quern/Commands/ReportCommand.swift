import ArgumentParser
import Foundation
import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import QuernWorker

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Write the report of an output folder again, or that of a measurement.",
        discussion: """
            Example: quern report ./out
                     quern report Llama-3.1-8B-Instruct.sensitivity.json --source ./Llama-3.1-8B-Instruct \\
                         --to Q4_K_M:dynamic,size:4.5GB

            Of a folder, report.html is made from its manifest and results. Of a file that quern sensitivity wrote, the page \
            shows sizes against the divergence to expect, with presets beside them, the types for the sizes named, and what \
            each tensor costs.
            """)

    @Argument(
        help: "A folder with a manifest.json, or a file that quern sensitivity wrote.", completion: .file())
    var path: String

    @Option(help: "The model that was measured: a checkpoint folder or a .gguf file.", completion: .file())
    var source: String?

    @Option(
        name: .customLong("to"),
        help: "Sizes to show the types of, separated by commas: size:4.5GB,bpw:4.25,Q4_K_M:dynamic.")
    var goals: String?

    @Option(
        name: .shortAndLong, help: "The page of a measurement; NAME.sensitivity.html beside it otherwise.",
        completion: .file())
    var output: String?

    @Flag(help: "Print one JSON object, of a measurement with what sizes are expected to diverge by.")
    var json = false

    func run() throws {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        if exists, !isFolder.boolValue { return try reportMeasurement() }
        guard source == nil, goals == nil, output == nil else {
            throw QuernError(
                .usage, "--source, --to and --output are for files that quern sensitivity wrote", at: path,
                remedy: "Leave them out, or name such a file")
        }
        let report = Report(manifest: try Manifest.read(folder: path), results: try JobResults.read(folder: path))
        try ArtifactFolder(root: path).write(Array(report.html().utf8), as: Report.fileName)
        try finish(Finished(output: "\(path)/\(Report.fileName)"))
    }

    private func reportMeasurement() throws {
        let sensitivity = try SensitivityFile.read(path: path)
        guard let source else {
            throw QuernError(
                .usage, "the file says what tensors cost, and not what model they make", at: path,
                remedy: "Name the model that was measured with --source")
        }
        let place = RecipeOptions.absolute(source, from: FileManager.default.currentDirectoryPath)
        let model = try SourceModel.open(path: place)
        let tradeOffs = try Planner.tradeOffs(sensitivity, source: model)
        let targets = try Planner.chosen(
            for: goals?.split(separator: ",").map(String.init) ?? [], sensitivity, source: model)
        let report = SensitivityReport(sensitivity, tradeOffs: tradeOffs, goals: targets.compactMap(Self.goal))
        let file = output ?? (path.hasSuffix(".json") ? String(path.dropLast(5)) : path) + ".html"
        try WholeFile.write(Array(report.html().utf8), to: file)
        try finish(
            Finished(output: file, tradeOffs: tradeOffs, targets: targets.compactMap(TradeOffs.Point.init)))
    }

    private static func goal(_ target: TargetPlan) -> SensitivityReport.Goal? {
        TradeOffs.Point(target).map { point in
            SensitivityReport.Goal(
                point, size: target.bytes,
                tensors: target.tensors.filter { tensor in tensor.shape.count(where: { $0 > 1 }) > 1 }.map {
                    SensitivityReport.Goal.Tensor(name: $0.name, type: $0.type, bytes: $0.bytes)
                })
        }
    }

    private func finish(_ finished: Finished) throws {
        if json { try Console.json(finished) } else { Console.line(finished.output) }
    }

    private struct Finished: Encodable {
        let event = "done"
        let output: String
        var tradeOffs: TradeOffs?
        /// The sizes that were named.
        var targets: [TradeOffs.Point]?
    }
}
