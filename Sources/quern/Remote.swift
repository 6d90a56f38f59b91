import ArgumentParser
import Foundation
import QuernClient
import QuernFormats
import QuernJobs

/// How commands about jobs find the coordinator.
struct RemoteOptions: ParsableArguments {
    @Option(help: "The coordinator's URL (or QUERN_COORDINATOR).")
    var coordinator: String?

    @Flag(help: "Print one JSON object per line on standard output.")
    var json = false

    /// Runs `body` with a client that is shut down in the end.
    func withClient<Result>(_ body: (CoordinatorClient) async throws -> Result) async throws -> Result {
        let url = try Settings.load().value(.coordinator, flag: coordinator) ?? "http://127.0.0.1:7341"
        let client = try CoordinatorClient(url: url)
        do {
            let result = try await body(client)
            try await client.shutdown()
            return result
        } catch {
            try? await client.shutdown()
            throw error
        }
    }
}
