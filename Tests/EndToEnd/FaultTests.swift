import Foundation
import TestSupport
import Testing

/// What happens when the surroundings fail: disks, signals, other processes, files that change.
@Suite struct FaultTests {
    static let checkpoint = Fixtures.path("reference/qwen3/checkpoint")

    private func expect(
        _ outcome: QuernProcess.Outcome, status: Int32, _ words: String...,
        at location: SourceLocation = #_sourceLocation
    ) {
        #expect(outcome.status == status, "\(outcome.errors)", sourceLocation: location)
        for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)", sourceLocation: location) }
    }

    private func finished(_ folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".gguf") || $0 == "manifest.json" }
    }

    /// A coordinator on a free port, once it answers.
    private func coordinator(in folder: TemporaryFolder) async throws -> (process: QuernProcess, url: String) {
        let port = try freePort()
        let process = try QuernProcess(
            ["coordinator", "--blobs", folder.path("data"), "--listen", "127.0.0.1:\(port)"])
        let url = "http://127.0.0.1:\(port)"
        while process.isRunning {
            if try await QuernProcess.run(["list", "--coordinator", url]).status == 0 { return (process, url) }
        }
        throw CocoaError(.fileReadUnknown, userInfo: [NSLocalizedDescriptionKey: process.errorsSoFar])
    }

    @Test(.enabled(if: SmallDisk.isAvailable), arguments: [true, false])
    func fullDisk(isState: Bool) async throws {
        let disk = try SmallDisk(bytes: 600_000)
        let folder = try TemporaryFolder()
        let output = isState ? folder.path("out") : disk.path
        let state = isState ? disk.path : folder.path("state")
        let outcome = try await QuernProcess.run(
            ["quantize", Self.checkpoint, "--to", "Q8_0", "--output", output, "--state", state, "--quiet"])
        expect(
            outcome, status: 1, disk.path, isState ? "No space left on device" : "bytes, and the disk has",
            "Free some space")
        #expect(finished(output).isEmpty)
    }

    @Test func outputThatCannotBeWritten() async throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("mine", to: "file")
        for output in [file, file + "/below"] {
            let outcome = try await QuernProcess.run(
                ["quantize", Self.checkpoint, "--to", "Q8_0", "--output", output, "--quiet"])
            expect(outcome, status: 1, output, "Not a directory", "Choose a folder")
        }
    }

    @Test func quantizedSourceNeedsLeave() async throws {
        let folder = try TemporaryFolder()
        let first = folder.path("first")
        #expect(
            try await QuernProcess.run(
                ["quantize", Self.checkpoint, "--to", "Q8_0", "--output", first, "--name", "m", "--quiet"]
            ).status == 0)
        let again = ["quantize", "\(first)/m-Q8_0.gguf", "--to", "Q4_K_M", "--output", folder.path("out"), "--quiet"]
        expect(
            try await QuernProcess.run(again), status: 1, "Q8_0 already", "--allow-requantize", "token_embd.weight",
            "more")
        #expect(finished(folder.path("out")).isEmpty)
        #expect(try await QuernProcess.run(again + ["--allow-requantize"]).status == 0)
    }

    @Test func damageIsFoundByVerify() async throws {
        let folder = try TemporaryFolder()
        let output = folder.path("out")
        let quantize = ["quantize", Self.checkpoint, "--to", "Q8_0", "--output", output, "--name", "m", "--quiet"]
        #expect(try await QuernProcess.run(quantize).status == 0)
        #expect(try await QuernProcess.run(["verify", output]).status == 0)
        let handle = try #require(FileHandle(forUpdatingAtPath: output + "/m-Q8_0.gguf"))
        try handle.seek(toOffset: 400_000)
        let byte = try #require(try handle.read(upToCount: 1)?.first)
        try handle.seek(toOffset: 400_000)
        try handle.write(contentsOf: [~byte])
        try handle.close()
        let damaged = try await QuernProcess.run(["verify", output])
        #expect(damaged.status == 6)
        #expect(damaged.output.contains("m-Q8_0.gguf: blk.") && damaged.output.contains("sha256 is"))
        let object = try await QuernProcess.run(["verify", output, "--json"])
        #expect(object.status == 6 && object.output.split(separator: "\n").count == 1)
        #expect(try JSONSerialization.jsonObject(with: Data(object.output.utf8)) is [String: Any])
        try folder.write("{", to: "out/manifest.json")
        expect(try await QuernProcess.run(["verify", output]), status: 1, "manifest.json", "damaged")
        expect(try await QuernProcess.run(["verify", folder.path]), status: 1, "there is no manifest")
    }

    private static let manyTargets =
        "F16,BF16,Q8_0,Q4_0,Q2_K,Q3_K_S,Q3_K_M,Q3_K_L,Q4_K_S,Q4_K_M,Q5_K_S,Q5_K_M,Q6_K,IQ3_S,IQ3_M,IQ4_XS,IQ4_NL"

    /// Runs a command and interrupts it once its job is accepted. On a busy machine the signal may come when all is
    /// done, so there are several tries.
    /// - Parameter state: the folder where the command keeps its state.
    private func interrupt(_ arguments: [String], state: String, clearing folders: [String]) async throws {
        var outcome: QuernProcess.Outcome?
        for _ in 0..<8 where outcome?.status != 5 {
            for folder in folders { try? FileManager.default.removeItem(atPath: folder) }
            let process = try QuernProcess(arguments)
            while process.isRunning, !FileManager.default.fileExists(atPath: state + "/blobs/sha256") {
                await Task.yield()
            }
            process.send(signal: SIGINT)
            outcome = await process.outcome()
        }
        expect(try #require(outcome), status: 5, "interrupted", "goes on from here")
    }

    /// The same command, run again, makes the same bytes.
    @Test func interruptedQuantizeGoesOn() async throws {
        let folder = try TemporaryFolder()
        func arguments(_ output: String) -> [String] {
            [
                "quantize", Fixtures.sample, "--to", Self.manyTargets, "--workers", "1", "--output",
                folder.path(output), "--name", "m", "--quiet",
            ]
        }
        try await interrupt(
            arguments("cut"), state: folder.path("cut/.quern"), clearing: [folder.path("cut")])
        #expect(!finished(folder.path("cut")).contains("manifest.json"))
        #expect(try await QuernProcess.run(arguments("cut")).status == 0)
        #expect(try await QuernProcess.run(arguments("whole")).status == 0)
        let names = finished(folder.path("whole"))
        #expect(names.count == 18 && Set(names) == Set(finished(folder.path("cut"))))
        for name in names {
            let whole = try Data(contentsOf: URL(fileURLWithPath: folder.path("whole/\(name)")))
            #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path("cut/\(name)"))) == whole, "\(name)")
        }
    }

    /// What an interrupted run left is not gone on with by a run that wants something else.
    @Test(arguments: [true, false]) func interruptedQuantizeGivesWay(keepsState: Bool) async throws {
        let folder = try TemporaryFolder()
        let output = folder.path("out")
        let state = keepsState ? folder.path("state") : output + "/.quern"
        let common = ["--output", output, "--workers", "1", "--quiet"] + (keepsState ? ["--state", state] : [])
        let first = ["quantize", Fixtures.sample, "--to", Self.manyTargets, "--name", "a"] + common
        try await interrupt(first, state: state, clearing: [output, state])
        let second = ["quantize", Self.checkpoint, "--to", "Q8_0", "--name", "b"] + common
        #expect(try await QuernProcess.run(second).status == 0)
        #expect(try await QuernProcess.run(["verify", output]).status == 0)
        // Whole files of the first run may be there, but nothing half-written and no manifest that names them.
        let names = try FileManager.default.contentsOfDirectory(atPath: output)
        #expect(names.contains("b-Q8_0.gguf"))
        #expect(names.allSatisfy { $0.hasSuffix(".gguf") || ["manifest.json", "report.html"].contains($0) })
        let manifest = try String(contentsOfFile: output + "/manifest.json", encoding: .utf8)
        #expect(!manifest.contains("a-"))
        // What was set aside is still there to be gone on with.
        #expect(try await QuernProcess.run(first).status == 0)
        #expect(try await QuernProcess.run(["verify", output]).status == 0)
    }

    /// A job that is done is done: the same command looks its output over and leaves it, unless something is missing.
    @Test func finishedQuantizeIsNotDoneAgain() async throws {
        let folder = try TemporaryFolder()
        let command = [
            "quantize", Self.checkpoint, "--to", "Q8_0", "--name", "m", "--output", folder.path("out"), "--state",
            folder.path("state"), "--quiet",
        ]
        func identity() throws -> [UInt64] {
            try ["m-Q8_0.gguf", "manifest.json"].map { name in
                let values = try FileManager.default.attributesOfItem(atPath: folder.path("out/\(name)"))
                return try #require(values[.systemFileNumber] as? UInt64)
            }
        }
        #expect(try await QuernProcess.run(command).status == 0)
        let first = try identity()
        #expect(try await QuernProcess.run(command).status == 0)
        #expect(try identity() == first)
        let handle = try #require(FileHandle(forUpdatingAtPath: folder.path("out/m-Q8_0.gguf")))
        try handle.seek(toOffset: 400_000)
        try handle.write(contentsOf: [1, 2, 3, 4, 5])
        try handle.close()
        #expect(try await QuernProcess.run(command).status == 0)
        #expect(try identity() != first)
        #expect(try await QuernProcess.run(["verify", folder.path("out")]).status == 0)
    }

    @Test(arguments: [["status", "x"], ["list"], ["cancel", "x"], ["submit", "/models/x", "--to", "Q8_0"]])
    func coordinatorThatIsNotThere(arguments: [String]) async throws {
        let url = "http://127.0.0.1:\(try freePort())"
        let outcome = try await QuernProcess.run(arguments + ["--coordinator", url])
        expect(outcome, status: 3, url, "cannot be reached: Connection refused", "quern coordinator")
        #expect(outcome.output.isEmpty && outcome.errors.split(separator: "\n").count == 1)
    }

    @Test func secondCoordinatorOnOneFile() async throws {
        let folder = try TemporaryFolder()
        let first = try await coordinator(in: folder)
        let second = try await QuernProcess.run(
            ["coordinator", "--blobs", folder.path("data"), "--listen", "127.0.0.1:\(try freePort())"])
        expect(second, status: 1, "quern.sqlite", "another coordinator is using this job database", "PostgreSQL")
        #expect(first.process.isRunning)
        for command in [["status"], ["cancel"], ["logs"], ["watch"], ["download", "--output", folder.path("out")]] {
            let outcome = try await QuernProcess.run(command + ["nosuchjob", "--coordinator", first.url])
            expect(outcome, status: 1, "nosuchjob", "no such job", "list")
        }
        let missing = try await QuernProcess.run([
            "submit", "/nowhere.gguf", "--to", "Q8_0", "--coordinator", first.url,
        ])
        expect(missing, status: 1, "/nowhere.gguf", "no such file")
    }

    /// A worker that is killed while it waits for work takes nothing with it, and a source that changed is noticed.
    @Test func lostWorkerAndChangedSource() async throws {
        let folder = try TemporaryFolder()
        let source = try BrokenSource()
        let (process, url) = try await coordinator(in: folder)
        for _ in 0..<3 {
            let worker = try QuernProcess(["worker", "--coordinator", url, "--slots", "1"])
            while worker.isRunning, !worker.errorsSoFar.contains("session") { await Task.yield() }
            worker.send(signal: SIGKILL)
            _ = await worker.outcome()
        }
        let submitted = try await QuernProcess.run(["submit", source.path, "--to", "Q8_0", "--coordinator", url])
        try #require(submitted.status == 0, "\(submitted.errors) \(process.errorsSoFar)")
        let job = submitted.output.trimmingCharacters(in: .whitespacesAndNewlines)
        var bytes = try source.bytes(BrokenSource.shard)
        bytes[200_000] ^= 1
        try source.write(bytes, to: BrokenSource.shard)
        let worker = try QuernProcess(["worker", "--coordinator", url, "--slots", "1"])
        let watched = try await QuernProcess.run(["watch", job, "--coordinator", url, "--json"])
        worker.send(signal: SIGKILL)
        expect(watched, status: 1, BrokenSource.shard, "changed since the job was planned", "Submit the job again")
        let lines = watched.output.split(separator: "\n")
        #expect(!lines.isEmpty)
        for line in lines { #expect(try JSONSerialization.jsonObject(with: Data(line.utf8)) is [String: Any]) }
        #expect(process.isRunning, "\(process.errorsSoFar)")
    }
}
