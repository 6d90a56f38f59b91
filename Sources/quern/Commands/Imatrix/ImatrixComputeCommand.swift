import ArgumentParser
import Foundation
import QuernFormats
import QuernJobs
import QuernModel
import QuernStore

struct ImatrixComputeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compute",
        abstract: "Run text through a model, and keep the mean squares of what its tensors read.",
        discussion: """
            Example: quern imatrix compute ./tiny-llama --text calibration.txt --output tiny-llama.imatrix.gguf

            llama-quantize reads the file, and so does --imatrix. Interrupted at any point, the same command run again \
            goes on where it stopped. For methods that ask for more: … --statistics tiny-llama.statistics.safetensors --gram \
            keeps the matrix XᵀX of every tensor's input, too. To quantize at once, say quern quantize … --calibration TEXT.
            """)

    @Argument(help: "A Hugging Face checkpoint folder (safetensors) or a .gguf file.", completion: .file())
    var source: String

    @Option(help: "Text to run through the model, in UTF-8.", completion: .file())
    var text: String

    @Option(name: .shortAndLong, help: "The file to write; otherwise SOURCE.imatrix.gguf here.", completion: .file())
    var output: String?

    @Option(help: ArgumentHelp("Chunks of the text to use; all otherwise.", valueName: "number"))
    var chunks: Int?

    @Option(help: ArgumentHelp("Tokens in a chunk; 512 otherwise.", valueName: "number"))
    var chunkTokens: Int?

    @Flag(help: "Collect for output.weight, too.")
    var processOutput = false

    @Option(help: "Also write all statistics, to a safetensors file.", completion: .file())
    var statistics: String?

    @Flag(help: "Keep XᵀX of every tensor's input in the statistics file.")
    var gram = false

    @Option(
        help: ArgumentHelp(
            "Columns of a block of XᵀX; wider inputs are kept in several. \(Recipe.GramLimits.usualMaxBlock) otherwise.",
            valueName: "number"))
    var gramBlock: Int?

    @Option(help: "Bytes of all XᵀX, which get narrower blocks to keep to it: 500M. 2GB otherwise.")
    var gramBudget: String?

    @Option(help: "gguf, or dat for programs of before 2025.")
    var format: ImatrixForm = .gguf

    @OptionGroup var options: LocalRunOptions<StatisticsRunHelp>

    func run() async throws {
        let settings = try Settings.load()
        let here = FileManager.default.currentDirectoryPath
        let model = RecipeOptions.absolute(source, from: here)
        let base = SourcePlace.name(of: model)
        let usual = Recipe.Calibration.fileName(of: base.hasSuffix(".gguf") ? String(base.dropLast(5)) : base)
        let file = RecipeOptions.absolute(output ?? usual, from: here)
        let text = RecipeOptions.absolute(text, from: here)
        let calibration = Recipe.Calibration(
            text: text, chunkTokens: chunkTokens ?? Recipe.Calibration.usualChunkTokens, chunks: chunks,
            processOutput: processOutput, gram: try gramLimits())
        let written = Handover<ImatrixFile>()
        var run = try options.run(
            Recipe(source: model, targets: [], calibration: calibration), settings: settings,
            usualState: file + ".quern"
        ) { $0 + "/statistics" }
        run.collect = { [format, statistics] job, store, blobs in
            let results = try await CalibrationResults(of: job.id, in: store)
            let bytes = try await results.statistics(from: blobs)
            if let statistics { try WholeFile.write(bytes, to: RecipeOptions.absolute(statistics, from: here)) }
            let made = try StatisticsFile.read(from: MemoryByteSource(bytes, name: "statistics"))
            var matrix = made.imatrix(dataset: URL(fileURLWithPath: text).lastPathComponent)
            matrix.text = ImatrixFile.Text(
                distinctTokens: results.tokenized.distinctTokens, vocabulary: results.tokenized.vocabulary)
            try format.write(matrix, to: file)
            await written.set(matrix)
        }
        let start = ContinuousClock().now
        let record = try await run.finish()
        guard let matrix = await written.value else { return }
        let report = ImatrixReport(matrix)
        for warning in report.warnings { Console.error("quern: warning: \(warning)") }
        if options.json {
            try Console.json(Finished(record, file: file, matrix: matrix, warnings: report.warnings))
        } else if !options.quiet {
            Console.line("\(file)  \(matrix.entries.count) tensors, \(matrix.chunkCount) chunks")
            let seconds = (ContinuousClock().now - start) / .seconds(1)
            Console.error("done in \(Console.duration(seconds: seconds))")
        }
    }

    private func gramLimits() throws -> Recipe.GramLimits? {
        guard gram else {
            guard gramBlock == nil, gramBudget == nil else {
                throw QuernError(.usage, "limits of Gram matrices, and none are asked for", remedy: "Say --gram, too")
            }
            return nil
        }
        guard statistics != nil else {
            throw QuernError(
                .usage, "an importance matrix has no place for Gram matrices", at: "--gram",
                remedy: "Say --statistics FILE, too")
        }
        return Recipe.GramLimits(
            maxBlock: gramBlock ?? Recipe.GramLimits.usualMaxBlock,
            budget: try gramBudget.map { try ByteCount.parse($0) } ?? Recipe.GramLimits.usualBudget)
    }

    private struct Finished: Encodable {
        let event = "done"
        let job: String
        let output: String
        let tensors: Int
        let chunks: Int
        let warnings: [String]

        init(_ record: JobRecord, file: String, matrix: ImatrixFile, warnings: [String]) {
            job = record.id.rawValue
            output = file
            tensors = matrix.entries.count
            chunks = matrix.chunkCount
            self.warnings = warnings
        }
    }
}

/// What the calibration of a finished job left.
struct CalibrationResults: Sendable {
    let tokenized: TokenizeResult
    let merged: MergeResult

    init(of job: JobID, in store: any JobStore) async throws {
        let ordinals = try await store.items(of: job).filter { $0.stage == .tokenize || $0.stage == .merge }
            .map(\.ordinal)
        var tokenized: TokenizeResult?
        var merged: MergeResult?
        for result in try await store.results(of: job, ordinals: ordinals).values {
            switch result {
            case .tokenize(let result): tokenized = result
            case .merge(let result): merged = result
            default: break
            }
        }
        guard let tokenized, let merged else {
            throw QuernError(.internalFault, "the job is done without statistics", at: job.rawValue)
        }
        self.tokenized = tokenized
        self.merged = merged
    }

    /// The bytes of the statistics file.
    func statistics(from blobs: any BlobStore) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for digest in merged.statistics { bytes += try await blobs.get(digest) }
        guard Digest(of: bytes) == merged.sha256 else {
            throw QuernError(.corrupted, "the statistics are not what was computed", remedy: "Calibrate again")
        }
        return bytes
    }
}
