import Foundation
import TestSupport
import Testing

/// Models computed on cards: by commands, and by workers.
@Suite(.serialized) struct ForwardDeviceTests {
    private struct Summary: Decodable {
        struct Estimate: Decodable { let value: Double }
        let perplexity: Estimate
    }

    /// Nearly what the processor computes, and not quite.
    @Test func evaluatesOnCards() async throws {
        let cards = try TestedCards()
        var found: [Double] = []
        for device in ["cpu", "cuda"] {
            let outcome = try await QuernProcess.run(
                [
                    "eval", Fixtures.sample, "--text", Fixtures.sample + "/evaluation.txt", "--chunks", "2",
                    "--chunk-tokens", "64", "--json", "--forward", device,
                ], environment: cards.environment())
            try #require(outcome.status == 0, "\(outcome.errors)")
            found.append(try JSONDecoder().decode(Summary.self, from: Data(outcome.output.utf8)).perplexity.value)
        }
        #expect(found[0] != found[1] && abs(found[1] / found[0] - 1) < 1e-3, "\(found)")
    }

    /// Logits of a checkpoint, and the same file from each run.
    @Test func writesLogitsOfCards() async throws {
        let folder = try TemporaryFolder()
        let cards = try TestedCards()
        let tokens = try folder.write("[[1, 11, 3, 9, 29, 31], [1, 7, 5, 2, 8, 4]]", to: "tokens.json")
        var files: [Data?] = []
        for (name, device) in [("a", "cuda"), ("b", "cuda"), ("c", "cpu")] {
            let output = folder.path(name)
            let outcome = try await QuernProcess.run(
                [
                    "logits", Fixtures.path("decoders/qwen3moe.gguf"), "--tokens", tokens, "--output", output,
                    "--forward", device,
                ], environment: cards.environment())
            try #require(outcome.status == 0, "\(outcome.errors)")
            files.append(FileManager.default.contents(atPath: output))
        }
        #expect(files[0] == files[1] && files[0] != files[2] && files[0]?.count == files[2]?.count)
    }

    private static let job = [
        "--to", "Q4_K_M,IQ2_M", "--calibration", Fixtures.sample + "/calibration.txt", "--calibration-chunks", "6",
        "--chunk-tokens", "64",
    ]

    /// - Parameters:
    ///   - workers: settings of the cards of each, should they be simulated; nil for one without.
    ///   - forward: what the job asks for.
    ///   - inTurn: whether each worker starts when the one before has ended.
    private func run(
        on folder: TemporaryFolder, _ cards: TestedCards, _ workers: [[String: String]?], forward: String = "cuda",
        inTurn: Bool = false
    ) async throws -> (made: [String: String], workers: [QuernProcess.Outcome]) {
        let cluster = try Cluster(database: folder.path("jobs.sqlite"), folder: folder)
        try await cluster.start(workers: 0)
        let submitted = try await cluster.ask(["submit", Fixtures.sample, "--forward", forward] + Self.job)
        let id = submitted.output.trimmingCharacters(in: .whitespacesAndNewlines)
        var processes: [QuernProcess] = []
        for settings in workers {
            if inTurn, let last = processes.last { _ = await last.outcome() }
            let environment = try settings.map {
                try cards.environment($0).merging(["QUERN_DEVICE": "cuda", "QUERN_FORWARD": "cuda"]) { $1 }
            }
            processes.append(try await cluster.startWorker(environment: environment ?? ["QUERN_DEVICE": "cpu"]))
        }
        let watched = try await cluster.ask(["watch", id])
        try #require(watched.status == 0, "\(watched.errors)")
        let output = folder.path("downloaded")
        let downloaded = try await cluster.ask(["download", id, "--output", output])
        try #require(downloaded.status == 0, "\(downloaded.errors)")
        _ = await cluster.stop()
        var outcomes: [QuernProcess.Outcome] = []
        for process in processes { outcomes.append(await process.outcome()) }
        return (try FolderDigests.of(output), outcomes)
    }

    /// What one process makes.
    private func alone(
        _ folder: TemporaryFolder, _ cards: TestedCards, forward: String = "cuda"
    ) async throws -> [String: String] {
        let output = folder.path("alone")
        let outcome = try await QuernProcess.run(
            ["quantize", Fixtures.sample, "--output", output, "--quiet", "--forward", forward] + Self.job,
            environment: cards.environment())
        try #require(outcome.status == 0, "\(outcome.errors)")
        return try FolderDigests.of(output)
    }

    /// Cards are there, and were not asked for: the processors' files, whoever took what.
    @Test func cardsAreTakenWhereAsked() async throws {
        let (folder, cards) = (try TemporaryFolder(), try TestedCards())
        let found = try await run(on: folder, cards, [[:], nil], forward: "cpu")
        #expect(found.workers.allSatisfy { $0.status == 0 })
        let wanted = try await alone(folder, cards, forward: "cpu")
        #expect(found.made == wanted)
        #expect(try await alone(try TemporaryFolder(), cards) != wanted)
    }

    /// One worker or three, some with several cards, one with none: the same statistics, and so the same files.
    @Test func anyNumberOfCardsMakesTheSame() async throws {
        let (folder, cards) = (try TemporaryFolder(), try TestedCards())
        let found = try await run(on: folder, cards, [[:], ["CARDS": "2"], nil, [:]])
        for worker in found.workers where worker.errors.contains("CUDA") {
            #expect(worker.status == 0)
            #expect(worker.errors.contains("; computes models there, too"), "\(worker.errors)")
        }
        #expect(found.workers.count { $0.errors.contains("CUDA") } == 3)
        #expect(try await found.made == alone(folder, cards))
    }

    /// A card that falls off the bus while it computes: its worker gives the item back and ends, another goes on.
    @Test func aLostCardEndsItsWorker() async throws {
        let (folder, cards) = (try TemporaryFolder(), try TestedCards(mustFail: true))
        let found = try await run(on: folder, cards, [["FAILURES": "cublasLtMatmul:30:13"], [:]], inTurn: true)
        #expect(found.workers[0].status == 1, "\(found.workers[0].errors)")
        #expect(found.workers[0].errors.contains("quern: error: card 0 (Simulated GPU 0"), "\(found.workers[0].errors)")
        #expect(found.workers[1].status == 0)
        #expect(try await found.made == alone(folder, cards))
    }

    /// The same in one process: an error, and the same command goes on from there.
    @Test func aLostCardEndsARun() async throws {
        let (folder, cards) = (try TemporaryFolder(), try TestedCards(mustFail: true))
        let output = folder.path("out")
        let arguments =
            ["quantize", Fixtures.sample, "--output", output, "--quiet", "--forward", "cuda"] + Self.job
        let lost = try await QuernProcess.run(
            arguments, environment: cards.environment(["FAILURES": "cublasLtMatmul:50:13"]))
        #expect(lost.status == 1 && lost.errors.contains("quern: error: card 0 (Simulated GPU 0"), "\(lost.errors)")
        let outcome = try await QuernProcess.run(arguments, environment: cards.environment())
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try await FolderDigests.of(output) == alone(folder, cards))
    }

    @Test(arguments: [
        (["--device", "cpu"], [:], 2, "--forward cuda: cards are to compute models, and none are to be used"),
        ([], ["CARDS": "0"], 1, "the NVIDIA driver finds no card"),
        ([], ["FAILURES": "cublasLtCreate:1:1"], 1, "cublasLtCreate failed with CUBLAS_STATUS_NOT_INITIALIZED"),
        ([], ["CAPABILITY": "7.5"], 1, "cublasLtMatmulAlgoGetHeuristic for F32"),
    ])
    func cannotBeHad(_ arguments: [String], _ settings: [String: String], _ status: Int32, _ words: String) async throws
    {
        let cards = try SimulatedCards()
        let outcome = try await QuernProcess.run(
            ["worker", "--coordinator", "http://127.0.0.1:\(try freePort())", "--forward", "cuda"] + arguments,
            environment: cards.environment(settings))
        #expect(outcome.status == status)
        #expect(outcome.errors.contains("quern: error: ") && outcome.errors.contains(words), "\(outcome.errors)")
    }
}
