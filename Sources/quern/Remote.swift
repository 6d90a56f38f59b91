import ArgumentParser
import Foundation
import QuernClient
import QuernCoordinator
import QuernFormats
import QuernJobs

/// Where the coordinator is, and what makes it trusted.
struct CoordinatorAddress: ParsableArguments {
    @Option(help: "The coordinator's URL (or QUERN_COORDINATOR).")
    var coordinator: String?

    @Option(
        help: "Trust these authorities for https, in PEM, and no others (or QUERN_CA_FILE); the system's otherwise.",
        completion: .file())
    var caCertificate: String?

    /// The address that was given; nil for none.
    func url(_ settings: Settings) -> String? { settings.value(.coordinator, flag: coordinator) }

    /// - Returns: what a client is made with.
    func resolve(_ settings: Settings, url: String) throws -> (token: String?, authorities: String?) {
        let token = try settings.token()
        if token != nil, let place = URLComponents(string: url), place.scheme == "http", let host = place.host,
            !ListenAddress.isLoopback(host)
        {
            Console.error("quern: warning: \(url): the token travels unencrypted. Use https:// where others may listen")
        }
        return (token, settings.value(.authorities, flag: caCertificate))
    }
}

/// How commands about jobs find the coordinator.
struct RemoteOptions: ParsableArguments {
    @OptionGroup var address: CoordinatorAddress

    @Flag(help: "Print one JSON object per line on standard output.")
    var json = false

    func client() throws -> CoordinatorClient {
        let settings = try Settings.load()
        let url = address.url(settings) ?? "http://127.0.0.1:7341"
        let (token, authorities) = try address.resolve(settings, url: url)
        return try CoordinatorClient(url: url, token: token, authorities: authorities)
    }
}

/// Which job, and where.
struct JobTarget: ParsableArguments {
    @Argument(help: "A job id.") var job: String
    @OptionGroup var remote: RemoteOptions

    var id: JobID { JobID(rawValue: job) }
}
