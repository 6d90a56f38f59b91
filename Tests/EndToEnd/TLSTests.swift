import Foundation
import TestSupport
import Testing

/// A coordinator with a certificate, and workers and commands that trust it.
@Suite struct TLSTests {
    @Test func aJobOverTLSMakesTheSame() async throws {
        let folder = try TemporaryFolder()
        let authority = try TestAuthority()
        let pair = try authority.issue()
        let alone = folder.path("alone")
        let local = try await QuernProcess.run([
            "quantize", Fixtures.sample, "--to", "Q8_0", "--output", alone, "--quiet",
        ])
        try #require(local.status == 0, "\(local.errors)")

        let port = try freePort()
        let url = "https://localhost:\(port)"
        let coordinator = try QuernProcess([
            "coordinator", "--blobs", folder.path("data"), "--listen", "127.0.0.1:\(port)", "--tls-certificate",
            pair.certificate, "--tls-key", pair.key,
        ])
        let worker = try QuernProcess([
            "worker", "--coordinator", url, "--slots", "1", "--ca-certificate", authority.certificate,
        ])
        let environment = ["QUERN_COORDINATOR": url, "QUERN_CA_FILE": authority.certificate]
        func ask(_ arguments: [String]) async throws -> QuernProcess.Outcome {
            var outcome = try await QuernProcess.run(arguments, environment: environment)
            for _ in 0..<2000 where outcome.status == 3 {
                try await Task.sleep(for: .milliseconds(50))
                outcome = try await QuernProcess.run(arguments, environment: environment)
            }
            return outcome
        }
        let submitted = try await ask(["submit", Fixtures.sample, "--to", "Q8_0"])
        try #require(submitted.status == 0, "\(submitted.errors)")
        let id = submitted.output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(try await ask(["watch", id]).status == 0)
        #expect(try await ask(["download", id, "--output", folder.path("out")]).status == 0)
        #expect(try FolderDigests.of(folder.path("out")) == FolderDigests.of(alone))

        let stranger = try await QuernProcess.run(["list", "--coordinator", url])
        #expect(stranger.status == 3 && stranger.errors.contains("--ca-certificate"), "\(stranger.errors)")
        #expect(stranger.errors.split(separator: "\n").count == 1)
        for process in [worker, coordinator] {
            process.send(signal: SIGTERM)
            #expect(await process.outcome().status == 0)
        }
    }

    @Test func halfACertificateIsRefused() async throws {
        let folder = try TemporaryFolder()
        for (option, words) in [
            ("--tls-key", "a key without its certificate"), ("--tls-certificate", "without its key"),
        ] {
            let outcome = try await QuernProcess.run([
                "coordinator", "--blobs", folder.path("data"), "--listen", "127.0.0.1:0", option, "x.pem",
            ])
            #expect(outcome.status == 2 && outcome.errors.contains(words), "\(outcome.errors)")
        }
    }

    /// The token would be read on the way. Nobody is asked: the address is one for documentation.
    @Test func tokensInTheOpenAreWarnedOf() async throws {
        for (url, warns) in [
            ("http://quern.invalid:1", true), ("http://127.0.0.1:1", false), ("https://quern.invalid:1", false),
        ] {
            let outcome = try await QuernProcess.run(
                ["list", "--coordinator", url], environment: ["QUERN_TOKEN": "secret"])
            #expect(outcome.status == 3)
            #expect(outcome.errors.contains("the token travels unencrypted") == warns, "\(outcome.errors)")
        }
    }
}
