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

    func client() throws -> CoordinatorClient {
        let settings = try Settings.load()
        return try CoordinatorClient(
            url: settings.value(.coordinator, flag: coordinator) ?? "http://127.0.0.1:7341", token: settings.token())
    }
}

/// Which job, and where.
struct JobTarget: ParsableArguments {
    @Argument(help: "A job id.") var job: String
    @OptionGroup var remote: RemoteOptions

    var id: JobID { JobID(rawValue: job) }
}
