import Foundation
import Glibc
import QuernFormats

/// Two network namespaces, one for workers and one for coordinators, each joined to that of this process by a pair of
/// virtual Ethernet devices, on which packets can be dropped.
struct Namespaces: Sendable {
    static let workers = "workers"
    static let coordinators = "coordinators"
    /// Of this process, as the others see it, and of the coordinators.
    static let here = (workers: "10.99.1.1", coordinators: "10.99.2.1")
    static let coordinatorAddress = "10.99.2.2"

    private static let mark = "QUERN_FAULTS_NAMESPACE"

    /// Runs this program again in a network of its own, where that can be had. Returns where it cannot, or where that
    /// was done before.
    static func enter() {
        guard geteuid() == 0, ProcessInfo.processInfo.environment[mark] == nil else { return }
        guard (try? run("/usr/bin/unshare", "-n", "-m", "/usr/sbin/ip", "link", "show")) != nil,
            (try? run("/usr/sbin/nft", "--version")) != nil
        else { return }
        setenv(mark, "1", 1)
        // Foundation itself needs a loopback device from the start.
        let command =
            [
                "/usr/bin/unshare", "-n", "-m", "--", "/bin/sh", "-c",

                // Names of namespaces are files; these go with the last process that sees them.
                "/usr/sbin/ip link set lo up && mkdir -p /run/netns && mount -t tmpfs none /run/netns && exec \"$0\" \"$@\"",
            ]
            + [CommandLine.arguments[0]] + CommandLine.arguments.dropFirst()
        let words = command.map { strdup($0) } + [nil]
        execv(command[0], words)
    }

    /// - Returns: nil where this process is not in a network of its own.
    init?() throws {
        guard ProcessInfo.processInfo.environment[Self.mark] != nil else { return nil }
        let ip = "/usr/sbin/ip"
        for (name, device, net) in [(Self.workers, "vw", "10.99.1"), (Self.coordinators, "vc", "10.99.2")] {
            try Self.run(ip, "netns", "add", name)
            try Self.run(ip, "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", name)
            try Self.run(ip, "addr", "add", "\(net).1/24", "dev", device)
            try Self.run(ip, "link", "set", device, "up")
            for words in [
                ["addr", "add", "\(net).2/24", "dev", "eth0"], ["link", "set", "eth0", "up"],
                ["link", "set", "lo", "up"],
            ] {
                try Self.run(ip, ["-n", name] + words)
            }
        }
        try Self.nft("add table ip faults")
        for hook in ["input", "output"] {
            try Self.nft("add chain ip faults \(hook) { type filter hook \(hook) priority 0; }")
        }
    }

    static func launcher(_ namespace: String) -> [String] { ["/usr/sbin/ip", "netns", "exec", namespace] }

    /// Drops packets between this process and the workers.
    /// - Parameter percent: of all packets, by chance.
    func dropForWorkers(percent: Int) throws { try drop(percent, "vw", "") }

    /// Drops packets between the coordinators and a port of this process.
    func dropForCoordinators(percent: Int, port: Int) throws { try drop(percent, "vc", "tcp PORT \(port)") }

    private func drop(_ percent: Int, _ device: String, _ filter: String) throws {
        let chance = percent < 100 ? "numgen random mod 100 < \(percent)" : ""
        for (hook, match, port) in [("input", "iifname", "dport"), ("output", "oifname", "sport")] {
            try Self.nft(
                "add rule ip faults \(hook) \(match) \(device) \(filter.replacing("PORT", with: port)) \(chance) drop")
        }
    }

    func heal() throws { for hook in ["input", "output"] { try Self.nft("flush chain ip faults \(hook)") } }

    private static func nft(_ rule: String) throws { try run("/usr/sbin/nft", rule) }

    private static func run(_ program: String, _ arguments: String...) throws { try run(program, arguments) }

    private static func run(_ program: String, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let said = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw QuernError(
                .internalFault, String(decoding: said, as: UTF8.self),
                at: ([program] + arguments).joined(separator: " "))
        }
    }
}
