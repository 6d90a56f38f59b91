import ArgumentParser
import Foundation
import QuernFormats
import QuernJobs
import QuernPlanning

/// Measures what tensors cost in each type and scheme.
struct SensitivityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sensitivity",
        abstract: "Measure what each tensor costs in each type and scheme, so that they can be chosen for any size.",
        discussion: """
            Example: quern sensitivity ./Llama-3.1-8B-Instruct --text calibration.txt
                     quern quantize ./Llama-3.1-8B-Instruct --to size:4.5GB,W4A16_GPTQ:bpw:6 \\
                         --calibration calibration.txt --sensitivity Llama-3.1-8B-Instruct.sensitivity.json \\
                         --output ./out

            quern report shows what the file says. With --json, what sizes are expected to diverge by is printed, too.
            """)

    @Argument(help: "A Hugging Face checkpoint folder (safetensors) or a .gguf file.", completion: .file())
    var source: String

    @Option(help: "Text to calibrate and to measure on.", completion: .file())
    var text: String

    @Option(help: "File to write; NAME.sensitivity.json otherwise.", completion: .file())
    var output: String?

    @Option(help: "Chunks of the text to calibrate on; all otherwise.")
    var chunks: Int?

    @Option(help: "Chunks of the text to measure on; 8 otherwise.")
    var measuredChunks: Int?

    @Option(help: "Layers to measure at most; what others cost is inferred from their neighbours. 16 otherwise.")
    var measuredLayers: Int?

    @Option(help: "Tokens in a chunk; 512 otherwise.")
    var chunkTokens: Int?

    @OptionGroup var options: LocalRunOptions<StatisticsRunHelp>

    func run() async throws {
        let settings = try Settings.load()
        let here = FileManager.default.currentDirectoryPath
        let given = RecipeOptions.absolute(source, from: here)
        let model = try await OwnThread.run { try SourcePlace.pinned(given) }
        let base = SourcePlace.name(of: model)
        let name = base.hasSuffix(".gguf") ? String(base.dropLast(5)) : base
        let file = RecipeOptions.absolute(output ?? "\(name).sensitivity.json", from: here)
        let recipe = Recipe(
            source: model, targets: [],
            calibration: Recipe.Calibration(
                text: RecipeOptions.absolute(text, from: here),
                chunkTokens: chunkTokens ?? Recipe.Calibration.usualChunkTokens, chunks: chunks),
            measurement: Recipe.Measurement(
                chunks: measuredChunks ?? Recipe.Measurement.usualChunks,
                layers: measuredLayers ?? Recipe.Measurement.usualLayers))
        let written = Handover<SensitivityFile>()
        var run = try options.run(recipe, settings: settings, usualState: file + ".quern") { $0 + "/measured" }
        run.collect = { job, store, _ in
            let made = try await SensitivityFile(of: job.id, in: store)
            try WholeFile.write(made.json(), to: file)
            await written.set(made)
        }
        let start = ContinuousClock().now
        let record = try await run.finish()
        guard let made = await written.value else { return }
        if options.json {
            try Console.json(
                Finished(
                    job: record.id.rawValue, output: file, tensors: made.tensors.count, chunks: made.chunks,
                    tradeOffs: try await OwnThread.run {
                        try Planner.tradeOffs(made, source: SourceModel.open(path: model))
                    }))
        } else if !options.quiet {
            Console.line("\(file)  \(made.tensors.count) tensors, \(made.chunks) chunks")
            let seconds = (ContinuousClock().now - start) / .seconds(1)
            Console.error("done in \(Console.duration(seconds: seconds))")
        }
    }

    private struct Finished: Encodable {
        let event = "done"
        let job: String
        let output: String
        let tensors: Int
        let chunks: Int
        let tradeOffs: TradeOffs
    }
}

extension SensitivityFile {
    /// What the measuring of a finished job left.
    init(of job: JobID, in store: any JobStore) async throws {
        let ordinals = try await store.items(of: job).filter { $0.stage == .collect }.map(\.ordinal)
        guard case .collect(let result)? = try await store.results(of: job, ordinals: ordinals).values.first else {
            throw QuernError(.internalFault, "the job has measured nothing", at: job.rawValue)
        }
        self = result.costs
    }
}
