import Foundation
import TestSupport
import Testing

/// What `quern doctor` tells of a machine, and when it ends with an error.
@Suite struct DoctorTests {
    private struct Finding: Decodable, Equatable {
        enum Detail: Decodable, Equatable {
            case flag(Bool), number(Int), text(String), list([String])

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let value = try? container.decode(Bool.self) {
                    self = .flag(value)
                } else if let value = try? container.decode(Int.self) {
                    self = .number(value)
                } else if let value = try? container.decode(String.self) {
                    self = .text(value)
                } else {
                    self = .list(try container.decode([String].self))
                }
            }
        }

        let what: String
        let state: String
        let found: String
        let remedy: String?
        let details: [String: Detail]
    }

    /// Runs it with `--json`.
    private func examine(
        _ arguments: [String] = [], environment: [String: String]
    ) async throws -> (status: Int32, findings: [String: Finding]) {
        let outcome = try await QuernProcess.run(["doctor", "--json"] + arguments, environment: environment)
        #expect(outcome.errors.isEmpty, "\(outcome.errors)")
        let lines = outcome.output.split(separator: "\n")
        let findings = try lines.map { try JSONDecoder().decode(Finding.self, from: Data($0.utf8)) }
        return (outcome.status, Dictionary(uniqueKeysWithValues: findings.map { ($0.what, $0) }))
    }

    @Test func machine() async throws {
        let cards = try SimulatedCards()
        let (status, findings) = try await examine(
            environment: cards.environment(["CARDS": "0"]).merging(["QUERN_MEMORY": "1MB"]) { $1 })
        #expect(status == 0)
        #expect(
            findings.keys.sorted() == [
                "NVIDIA driver", "NVRTC", "coordinator", "cuBLASLt", "device", "memory", "oneDNN", "processor",
                "version",
            ])
        #expect(findings["version"]?.state == "ok" && findings["version"]?.found.hasPrefix("quern ") == true)
        let processor = try #require(findings["processor"])
        #expect(processor.details["cores"] == .number(ProcessInfo.processInfo.activeProcessorCount))
        guard case .list(let sets) = processor.details["instruction_sets"],
            case .text(let used) = processor.details["used"]
        else { throw CocoaError(.coderReadCorrupt) }
        #expect(sets.first == "plain" && sets.last == used && processor.found.contains("encodes with \(used)"))
        let memory = try #require(findings["memory"])
        #expect(memory.details["total_bytes"] == .number(Int(ProcessInfo.processInfo.physicalMemory)))
        #expect(memory.details["work_bytes"] == .number(1_000_000))
        let library = try #require(findings["oneDNN"])
        #expect(library.state == "ok" && library.details.keys.sorted() == ["bf16", "tiles", "version"])
        #expect(findings["coordinator"]?.found == "none is set")
    }

    @Test func text() async throws {
        let cards = try SimulatedCards()
        let outcome = try await QuernProcess.run(
            ["doctor"], environment: cards.environment(["MEMORY": "2000000000"]))
        #expect(outcome.status == 0, "\(outcome.errors)")
        let lines = outcome.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
        #expect(lines.first?.hasPrefix("ok version quern ") == true)
        #expect(
            lines.contains(
                "ok card 0 Simulated GPU 0, compute capability 9.0, 2.00 GB free of 2.00 GB, 4 multiprocessors, "
                    + "0000:01:00.0"))
        #expect(lines.contains("ok NVIDIA driver CUDA 12.9, \(cards.path)/libcuda.so.1"))
    }

    @Test func cards() async throws {
        let cards = try SimulatedCards()
        let (status, findings) = try await examine(environment: cards.environment(["CARDS": "2", "MEMORY": "3000000"]))
        #expect(status == 0)
        let driver = try #require(findings["NVIDIA driver"])
        #expect(driver.details == ["cuda": .text("12.9"), "library": .text("\(cards.path)/libcuda.so.1")])
        for ordinal in 0...1 {
            let card = try #require(findings["card \(ordinal)"])
            #expect(card.state == "ok" && card.remedy == nil)
            #expect(
                card.details == [
                    "name": .text("Simulated GPU \(ordinal)"), "bus_id": .text("0000:0\(ordinal + 1):00.0"),
                    "uuid": .text("GPU-51515151-5151-5151-5151-51515151510\(ordinal)"),
                    "compute_capability": .text("9.0"), "free_bytes": .number(3_000_000),
                    "total_bytes": .number(3_000_000), "multiprocessors": .number(4), "copy_engines": .number(2),
                ])
        }
        #expect(findings["device"]?.details["used"] == .text("cuda"))
        let compiler = try #require(findings["NVRTC"])
        #expect(compiler.state == "ok" && compiler.details["version"] == .text("12.9"))
        guard case .list(let architectures) = compiler.details["architectures"] else {
            throw CocoaError(.coderReadCorrupt)
        }
        #expect(architectures.contains("9.0") && architectures.contains("10.0"))
        let products = try #require(findings["cuBLASLt"])
        #expect(products.state == "ok" && products.remedy == nil)
        #expect(products.details["version"] == .text("12.9.3"))
        #expect(products.found == "12.9.3, \(cards.path)/libcuda.so.1")
        #expect(products.details["library"] == .text("\(cards.path)/libcuda.so.1"))
    }

    /// Cards that are missing are worth a word, and an error only to who asks for them.
    @Test(arguments: [
        (settings: ["CARDS": "0"], words: "the NVIDIA driver finds no card", remedy: "nvidia-smi"),
        (["DRIVER": "11040"], "too old: it can do CUDA 11.4, and Quern needs 12.0", "driver 525 or newer"),
    ])
    func noCard(settings: [String: String], words: String, remedy: String) async throws {
        let cards = try SimulatedCards()
        let environment = try cards.environment(settings)
        let (status, findings) = try await examine(environment: environment)
        let driver = try #require(findings["NVIDIA driver"])
        #expect(status == 0 && driver.state == "notice")
        #expect(driver.found.contains(words) && driver.remedy?.contains(remedy) == true, "\(driver)")
        #expect(findings["device"]?.state == "ok" && findings["device"]?.found.contains(words) == true)
        for (arguments, more) in [(["--device", "cuda"], [:]), ([], ["QUERN_DEVICE": "cuda"])] {
            let (status, findings) = try await examine(arguments, environment: environment.merging(more) { $1 })
            #expect(status == 1)
            #expect(findings["NVIDIA driver"]?.state == "failed" && findings["device"]?.state == "failed")
        }
        #expect(try await examine(["--device", "cpu"], environment: environment).status == 0)
    }

    @Test func brokenCard() async throws {
        let cards = try SimulatedCards()
        let (status, findings) = try await examine(
            environment: cards.environment(["CARDS": "2", "FAILURES": "cuMemGetInfo_v2:1:214"]))
        let card = try #require(findings["card 0"])
        #expect(status == 0 && card.state == "notice" && findings["card 1"]?.state == "ok")
        #expect(card.found.contains("cuMemGetInfo_v2 failed with CUDA_ERROR_ECC_UNCORRECTABLE (214)"))
    }

    @Test func noCompiler() async throws {
        let cards = try SimulatedCards()
        // A library of its name that is none: whatever the system has is not looked for.
        let folder = try TemporaryFolder()
        try folder.write("no library", to: "libnvrtc.so.12")
        let environment = [
            "QUERN_CUDA_LIBRARIES": "\(cards.path):\(folder.path)", "XDG_CACHE_HOME": folder.path("cache"),
        ]
        let (_, findings) = try await examine(environment: environment)
        let compiler = try #require(findings["NVRTC"])
        #expect(compiler.state == "notice" && compiler.remedy?.contains("nvidia-cuda-nvrtc") == true)
        #expect(try await examine(["--device", "cuda"], environment: environment).findings["NVRTC"]?.state == "failed")
    }

    /// A folder with links to libraries, as some package managers make them: NVRTC finds what belongs to it.
    @Test func linkedCompiler() async throws {
        let cards = try SimulatedCards()
        let folder = try TemporaryFolder()
        let library = try SimulatedCards.compilerFolder() + "/libnvrtc.so.12"
        try folder.link("libnvrtc.so.12", to: library)
        let environment = [
            "QUERN_CUDA_LIBRARIES": "\(cards.path):\(folder.path)", "XDG_CACHE_HOME": folder.path("cache"),
        ]
        let compiler = try #require(try await examine(environment: environment).findings["NVRTC"])
        #expect(compiler.state == "ok" && compiler.details["library"] == .text(library), "\(compiler)")
    }

    /// NVRTC without the library that belongs to it opens, and does not compile.
    @Test func halfACompiler() async throws {
        let cards = try SimulatedCards()
        let folder = try TemporaryFolder()
        try FileManager.default.copyItem(
            atPath: SimulatedCards.compilerFolder() + "/libnvrtc.so.12", toPath: folder.path("libnvrtc.so.12"))
        let environment = [
            "QUERN_CUDA_LIBRARIES": "\(cards.path):\(folder.path)", "XDG_CACHE_HOME": folder.path("cache"),
        ]
        let (status, findings) = try await examine(["--device", "cuda"], environment: environment)
        let compiler = try #require(findings["NVRTC"])
        #expect(status == 1 && compiler.state == "failed")
        #expect(
            compiler.found.contains("libnvrtc-builtins") && compiler.remedy?.contains("anew") == true, "\(compiler)")
    }

    @Test func noMatrixLibrary() async throws {
        let folder = try TemporaryFolder()
        try folder.write("no library", to: "libdnnl.so.2")
        let (status, findings) = try await examine(environment: ["LD_LIBRARY_PATH": folder.path])
        let library = try #require(findings["oneDNN"])
        #expect(status == 0 && library.state == "notice")
        #expect(library.remedy == "Install it (Debian, Ubuntu: apt-get install libdnnl2)")
    }

    /// Without the library for products, cards encode: who asks for them has them.
    @Test(arguments: [[], ["--device", "cuda"]]) func noProducts(arguments: [String]) async throws {
        let cards = try SimulatedCards()
        let folder = try TemporaryFolder()
        try folder.write("no library", to: "libcublasLt.so.12")
        var environment = try cards.environment()
        environment["QUERN_CUDA_LIBRARIES"] = try "\(folder.path):\(cards.path):\(SimulatedCards.compilerFolder())"
        let (status, findings) = try await examine(arguments, environment: environment)
        let products = try #require(findings["cuBLASLt"])
        #expect(status == 0 && products.state == "notice")
        #expect(products.found.contains("cuBLASLt cannot be used: \(folder.path)/libcublasLt.so.12"), "\(products)")
        #expect(products.found.hasSuffix("; the forward pass stays on the processor"))
        #expect(products.remedy?.contains("nvidia-cublas-cu12") == true)
        #expect(findings["device"]?.details["used"] == .text("cuda"))
    }

    @Test func unreachableCoordinator() async throws {
        let url = "http://127.0.0.1:\(try freePort())"
        let (status, findings) = try await examine(["--coordinator", url], environment: [:])
        let coordinator = try #require(findings["coordinator"])
        #expect(status == 1 && coordinator.state == "failed" && coordinator.found.contains(url))
    }

    @Test func tokens() async throws {
        let folder = try TemporaryFolder()
        let database = folder.path("jobs.sqlite")
        let cluster = try Cluster(database: database, folder: folder)
        try await cluster.start(workers: 0)
        let (status, findings) = try await examine(environment: ["QUERN_COORDINATOR": cluster.url])
        #expect(status == 0)
        #expect(findings["coordinator"]?.found == "\(cluster.url) answers, and asks for no token")
        _ = await cluster.stop()

        var tokens: [String: String] = [:]
        for scope in ["read", "work"] {
            let made = try await QuernProcess.run([
                "token", "create", scope, "--scopes", scope, "--database", database,
            ])
            tokens[scope] = made.output.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let closed = try Cluster(database: database, folder: folder)
        try await closed.start(workers: 0)
        for (token, status, words) in [
            (tokens["read"], 0 as Int32, "takes the token (for jobs)"),
            (tokens["work"], 0, "takes the token (for work)"),
            ("qrn_wrong", 1, "the token is not known"), (nil, 1, "a token is needed"),
        ] {
            var environment = ["QUERN_COORDINATOR": closed.url]
            environment["QUERN_TOKEN"] = token
            let (ended, findings) = try await examine(environment: environment)
            let finding = try #require(findings["coordinator"])
            #expect(ended == status && finding.found.contains(words), "\(finding)")
            #expect(finding.state == (status == 0 ? "ok" : "failed"))
        }
        _ = await closed.stop()
    }
}
