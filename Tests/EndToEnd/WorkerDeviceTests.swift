import Foundation
import TestSupport
import Testing

/// What a worker encodes on, and what it says of that.
@Suite struct WorkerDeviceTests {
    private func arguments(_ device: String) throws -> [String] {
        ["worker", "--coordinator", "http://127.0.0.1:\(try freePort())", "--device", device]
    }

    /// One line, which says why and what to do.
    @Test(arguments: [
        (settings: ["CARDS": "0"], words: ["the NVIDIA driver finds no card", "nvidia-smi"]),
        (["DRIVER": "11080"], ["the NVIDIA driver is too old: it can do CUDA 11.8", "Install driver 525 or newer"]),
        (["FLIPS": "1"], ["it encodes Q4_K to other bytes than the processor does", "Use --device cpu"]),
        (["MEMORY": "1000"], ["cuMemAlloc_v2 failed with CUDA_ERROR_OUT_OF_MEMORY (2)", "nvidia-smi"]),
        (["FAILURES": "cuDevicePrimaryCtxRetain:1:46"], ["CUDA_ERROR_DEVICE_UNAVAILABLE (46)", "nvidia-smi"]),
        (["CAPABILITY": "3.5"], ["knows no cards of compute capability 3.5", "use --device cpu"]),
    ])
    func cardsThatCannotBeHad(settings: [String: String], words: [String]) async throws {
        let cards = try SimulatedCards()
        let outcome = try await QuernProcess.run(
            arguments("cuda"), environment: cards.environment(settings))
        #expect(outcome.status == 1)
        #expect(outcome.errors.hasPrefix("quern: error: --device cuda: "), "\(outcome.errors)")
        #expect(outcome.errors.split(separator: "\n").count { $0.hasPrefix("quern: error") } == 1)
        for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
    }

    @Test func libraryThatIsNone() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("no library", to: "libcuda.so.1")
        let outcome = try await QuernProcess.run(
            arguments("cuda"), environment: ["QUERN_CUDA_LIBRARIES": folder.path])
        #expect(outcome.status == 1 && outcome.errors.contains("cannot be used: \(path): "), "\(outcome.errors)")
    }

    @Test(arguments: [
        (device: "auto", settings: ["CARDS": "0"], choice: "the CPU: the NVIDIA driver finds no card"),
        ("auto", ["FLIPS": "1"], "the CPU: found card 0 (Simulated GPU 0, 0000:01:00.0), but "),
        ("auto", [:], "CUDA: found card 0 (Simulated GPU 0, 0000:01:00.0)"),
        ("cuda", ["CARDS": "2", "FLIPS": "1:1"], "CUDA: found card 0 "),
        ("cpu", [:], "the CPU: it was asked for"),
    ])
    func choiceIsLogged(device: String, settings: [String: String], choice: String) async throws {
        let cards = try SimulatedCards()
        let worker = try QuernProcess(arguments(device), environment: cards.environment(settings))
        // It goes on to look for its coordinator.
        await worker.send(signal: SIGKILL) { worker.errorsSoFar.contains("encodes on ") }
        let lines = await worker.outcome().errors.split(separator: "\n")
        #expect(lines.contains { $0.contains("encodes on \(choice)") }, "\(lines)")
    }

    @Test func unknownDevice() async throws {
        let outcome = try await QuernProcess.run(
            ["worker", "--coordinator", "http://127.0.0.1:1"], environment: ["QUERN_DEVICE": "tpu"])
        #expect(outcome.status == 2 && outcome.errors.contains("'tpu' is no device"), "\(outcome.errors)")
    }
}
