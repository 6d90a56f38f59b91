import ArgumentParser
import QuernCUDA
import QuernFormats

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Tell what this machine has for Quern, and what is wrong with it.",
        discussion: """
            Example: quern doctor --device cuda --coordinator http://127.0.0.1:7341

            Exit status 1 where something fails that was asked for: by flags, by the environment, or in quern.yaml.
            """)

    @OptionGroup var address: CoordinatorAddress

    @Option(help: "What workers are to encode on: auto, cpu or cuda.")
    var device: DeviceSelection.Request?

    @Flag(help: "Print one JSON object per line on standard output.")
    var json = false

    func run() async throws {
        let settings = try Settings.load()
        let checks: [any DoctorCheck] = [
            MachineCheck(workMemory: try WorkMemory.resolve(settings, flag: nil)), MatrixLibraryCheck(),
            CardCheck(request: try WorkerDevice.request(settings, flag: device)),
            CoordinatorCheck(address: address, settings: settings),
        ]
        var findings: [Finding] = []
        for check in checks { findings += await check.findings() }
        if json {
            for finding in findings { try Console.json(finding) }
        } else {
            Console.line(Console.table(findings.flatMap(Self.rows)))
        }
        if findings.contains(where: { $0.state == .failed }) { throw ExitStatus.failed }
    }

    /// A line that says what and how it is, and one below it that says what to do.
    private static func rows(_ finding: Finding) -> [[String]] {
        [[finding.state.rawValue, finding.what, finding.found]] + (finding.remedy.map { [["", "", $0]] } ?? [])
    }
}
