import Foundation
import TestSupport
import Testing

/// Help, completion and machine-readable output.
@Suite struct HelpTests {
    static let commands = [
        "quantize", "plan", "imatrix", "inspect", "verify", "sign", "eval", "report", "coordinator", "worker", "submit",
        "status",
        "watch", "list",
        "cancel",
        "retry", "pause", "resume", "download", "logs", "doctor",
    ]

    @Test(arguments: commands)
    func helpShowsAnExample(command: String) async throws {
        let outcome = try await QuernProcess.run([command, "--help"])
        #expect(outcome.status == 0 && outcome.errors.isEmpty)
        #expect(outcome.output.contains("Example: quern \(command)"))
    }

    @Test func helpListsEveryCommand() async throws {
        let outcome = try await QuernProcess.run(["--help"])
        #expect(outcome.status == 0)
        for command in Self.commands { #expect(outcome.output.contains("\n  \(command) ")) }
    }

    @Test(arguments: ["bash", "zsh"])
    func completionScripts(shell: String) async throws {
        let outcome = try await QuernProcess.run(["--generate-completion-script", shell])
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("quantize") && outcome.output.contains("Q4_K_M"))
    }

    @Test(arguments: [
        ["plan", Fixtures.path("reference/qwen3/checkpoint"), "--to", "Q4_K_M", "--json"],
        ["plan", Fixtures.path("reference/qwen3/checkpoint"), "--to", "IQ2_XS", "--json"],
        ["inspect", Fixtures.path("reference/qwen3/checkpoint"), "--json"],
        ["quantize", Fixtures.path("reference/qwen3/checkpoint"), "--to", "Q8_0", "--json"],
    ])
    func jsonIsOneObjectPerLine(arguments: [String]) async throws {
        let folder = try TemporaryFolder()
        let extra = arguments[0] == "quantize" ? ["--output", folder.path] : []
        let outcome = try await QuernProcess.run(arguments + extra)
        let lines = outcome.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        #expect(!lines.isEmpty && outcome.output.hasSuffix("\n"))
        for line in lines { #expect(try JSONSerialization.jsonObject(with: Data(line.utf8)) is [String: Any]) }
    }
}
