import ArgumentParser
import Foundation
import QuernFormats
import QuernJobs
import QuernModel
import QuernPlanning
import QuernStore
import Synchronization

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

    @Argument(help: "A checkpoint folder or a .gguf file.", completion: .file()) var reference: String

    @Argument(help: "Another of the same vocabulary; quantized, as a rule.", completion: .file())
    var candidate: String?

    @Option(help: "A text file in UTF-8.", completion: .file()) var text: String

    @Option(help: "Chunks of the text to take; all otherwise.") var chunks: Int?

    @Option(help: "Tokens in a chunk; those of its second half are scored.") var chunkTokens = 512

    @Option(help: "Threads that compute; all cores otherwise.") var workers: Int?

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
        let style: ProgressBar.Style = quiet || json ? .silent : .human
        let thread = ThreadPool(name: "eval", threads: 1)
        let interrupted = Mark()
        let summary = try await Interruption.watched(remedy: "Nothing was kept: start it again") {
            try await withTaskCancellationHandler {
                try await thread.run {
                    let bar = ProgressBar(style)
                    defer { bar.finish() }
                    return try evaluation.run { fraction, chunks in
                        if interrupted.isSet { throw CancellationError() }
                        try bar.show(fraction, of: "\(chunks) chunks")
                    }
                }
            } onCancel: {
                interrupted.set()
            }
        }
        if json { try Console.json(summary) } else { Console.line(EvaluationTable(summary, text: text).text) }
    }

    /// Set once, seen by another thread.
    private final class Mark: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func set() { value.store(true, ordering: .relaxed) }
    }
}
