import ArgumentParser
import Foundation
import QuernFormats
import QuernJobs
import QuernModel
import QuernPlanning
import QuernWorker

struct EvalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Measure how well a model predicts a text, and how far another one is from it.",
        discussion: """
            Example: quern eval ./tiny-llama out/tiny-llama-Q4_K_M.gguf --text evaluation.txt

            Prints what llama-perplexity --kl-divergence prints: perplexity of both, KL divergence, change of the true
            token's probability, same top token. Without CANDIDATE it prints the perplexity of REFERENCE. Take a text
            that was not calibrated on.
            """)

    @Argument(help: "A checkpoint folder or a .gguf file, by path or URL.", completion: .file()) var reference: String

    @Argument(help: "Another of the same vocabulary; quantized, as a rule.", completion: .file())
    var candidate: String?

    @Option(help: "A text file in UTF-8.", completion: .file()) var text: String

    @Option(help: "Chunks of the text to take; all otherwise.") var chunks: Int?

    @Option(help: "Tokens in a chunk; those of its second half are scored.") var chunkTokens = 512

    @Option(help: "Threads that compute; all cores otherwise.") var workers: Int?

    @Option(help: ForwardDevice.help) var forward: ForwardDevice?

    @Flag(help: "Say nothing but the result.") var quiet = false

    @Flag(help: "Print the result as one JSON object on standard output.") var json = false

    func run() async throws {
        let settings = try Settings.load()
        let threads = try settings.integer(.workers, flag: workers) ?? ProcessInfo.processInfo.activeProcessorCount
        guard threads > 0 else { throw QuernError(.usage, "must be at least 1", at: "--workers") }
        if let chunks, chunks < 1 { throw QuernError(.usage, "must be at least 1", at: "--chunks") }
        guard TextLimits.chunkTokens.contains(chunkTokens) else {
            let range = TextLimits.chunkTokens
            throw QuernError(
                .usage, "must be from \(range.lowerBound) to \(range.upperBound)", at: "--chunk-tokens",
                remedy: "512 is usual")
        }
        let evaluation = TextEvaluation(
            reference: reference, candidates: candidate.map { [$0] } ?? [], text: text, chunkTokens: chunkTokens,
            chunks: chunks, threads: threads)
        let device = try ForwardDevice.request(settings, flag: forward)
        let engines = try device.engines()
        let style: ProgressBar.Style = quiet || json ? .silent : .human
        let summary = try await Interruption.computed("eval") { check in
            // One for each, so that the time of the first does not count as speed of the second.
            let reading = ProgressBar(style)
            var scoring: ProgressBar?
            defer { (scoring ?? reading).finish() }
            return try engines.computing(on: device) { engine in
                try evaluation.run(on: engine) { progress in
                    try check()
                    switch progress {
                    case .tokenizing(let fraction): try reading.show(fraction, of: "tokenizing the text")
                    case .scoring(let fraction, let chunks):
                        let bar = scoring ?? ProgressBar(style)
                        scoring = bar
                        try bar.show(fraction, of: "\(chunks) chunks")
                    }
                }
            }
        }
        if json { try Console.json(summary) } else { Console.line(EvaluationTable(summary, text: text).text) }
    }
}
