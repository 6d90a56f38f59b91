import ArgumentParser
import Foundation
import Logging
import QuernCUDA
import QuernClient
import QuernFormats
import QuernJobs
import QuernWorker

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Do work that a coordinator leases out.",
        discussion: """
            Example: quern worker --coordinator http://127.0.0.1:7341 --slots 8

            SIGTERM lets it finish what it holds, hand it in, and end. It keeps trying while the coordinator is away.
            """)

    @OptionGroup var address: CoordinatorAddress

    @Option(help: "Items worked on at a time; all cores otherwise.")
    var slots: Int?

    @Option(help: "Memory for work in progress: 4GB.")
    var memory: String?

    @Option(help: "What encodes: auto, cpu or cuda.")
    var device: DeviceSelection.Request?

    @Option(help: "Whether cards compute models, too, for jobs that ask for it: cpu, which is no, or cuda.")
    var forward: ForwardDevice?

    @Option(help: ArgumentHelp("End after this long without work.", valueName: "seconds"))
    var exitWhenIdle: Double?

    func run() async throws {
        let settings = try Settings.load()
        guard let url = address.url(settings) else {
            throw QuernError(.usage, "no coordinator given", remedy: "Say --coordinator URL or set QUERN_COORDINATOR")
        }
        let device = try WorkerDevice.request(settings, flag: device)
        let forward = try ForwardDevice.request(settings, flag: forward)
        let slots = try settings.integer(.slots, flag: slots) ?? ProcessInfo.processInfo.activeProcessorCount
        guard slots > 0 else { throw QuernError(.usage, "must be at least 1", at: "--slots") }
        let logger = Log.logger("quern.worker")
        let (token, authorities) = try address.resolve(settings, url: url)
        let client = try CoordinatorClient(url: url, token: token, authorities: authorities)
        let chosen = try WorkerDevice(device, forward: forward, logger: logger)
        logger.info("encodes on \(chosen.summary)")
        var configuration = WorkerConfiguration(
            node: ProcessInfo.processInfo.hostName, slots: slots,
            memory: try WorkMemory.resolve(settings, flag: memory),
            stages: Stage.runnable(with: chosen.engine, logger: logger), exitWhenIdle: exitWhenIdle.map { .seconds($0) }
        )
        configuration.engine = chosen.engine
        let worker = Worker(
            service: client,
            blobs: try HTTPBlobStore(url: url, token: token, authorities: authorities, logger: logger), artifacts: nil,
            configuration: configuration, logger: logger)
        try await Interruption.untilSignalled { try await worker.run() }
    }
}
