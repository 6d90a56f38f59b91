import ArgumentParser
import Foundation
import Glibc
import QuernFormats
import TestSupport

struct DiskCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disk",
        abstract: "Fill the disk that blobs, artifacts and the job database lie on, and free it again.",
        discussion: """
            Example: quern-faults disk --count 50

            Needs the right to mount, which root has. With --errno, calls of coordinators and workers fail instead, by \
            chance, through libfiu (Debian: fiu-utils).
            """)

    @OptionGroup var options: FaultOptions

    @Option(help: "Let reads, writes, syncs and renames fail with this errno instead: 5 (EIO) or 28 (ENOSPC).")
    var errno: Int32?

    @Option(help: "How many of a thousand calls fail.")
    var perMille = 0.1

    func run() async throws {
        let campaign = try Campaign(errno == nil ? "disk" : "disk --errno", options, count: 20)
        guard errno != nil || SmallDisk.isAvailable else {
            throw QuernError(.unauthorized, "the disk command needs the right to mount", remedy: "Run it as root")
        }
        let expected = Expected()
        try await campaign.run { number, generator in
            var generator = generator
            let kinds = campaign.kinds.shuffled(using: &generator)
            let disk = errno == nil ? try SmallDisk(bytes: 256 << 20) : nil
            try await Round(
                campaign: campaign, number: number, expected: expected, losesBlobs: true,
                callsFail: errno != nil, kinds: kinds
            ).run { settings, lookedAt in
                guard let disk else {
                    settings.coordinatorEnvironment = try shim(seed: generator.next())
                    return
                }
                settings.root = disk.path + "/store"
                try FileManager.default.createDirectory(atPath: settings.root, withIntermediateDirectories: true)
                guard options.store == .sqlite else { return }
                settings.database = disk.path + "/jobs.sqlite"
                lookedAt = settings.database
            } disturb: { scene in
                let filler = disk.map { Filler(path: $0.path + "/filler") }
                while try await scene.isRunning(), campaign.goesOn {
                    try await Task.sleep(for: .milliseconds(Int.random(in: 100...1500, using: &generator)))
                    if let filler { try await fill(filler, campaign, &generator) }
                    if errno == nil { try await scene.checkAlive() }
                }
                try await scene.finish(patience: .seconds(400))
                if errno == nil { try await scene.checkAlive() }
                try count(scene, campaign)
            }
        }
    }

    private func fill(_ filler: Filler, _ campaign: Campaign, _ generator: inout SeededGenerator) async throws {
        let left = Int.random(in: 0...3, using: &generator) == 0 ? Int.random(in: 0...(1 << 20), using: &generator) : 0
        let time = Int.random(in: 100...2500, using: &generator)
        try filler.fill(leaving: left)
        try await Task.sleep(for: .milliseconds(time))
        filler.free()
        campaign.fault("disk full", "the disk was full for \(time) ms, but for \(left >> 10) KiB")
    }

    /// Environment of a process whose calls fail now and then.
    private func shim(seed: UInt64) throws -> [String: String] {
        let folder = "/usr/lib/fiu"
        guard FileManager.default.fileExists(atPath: folder + "/fiu_posix_preload.so") else {
            throw QuernError(.notFound, "libfiu is not installed", at: folder, remedy: "apt-get install fiu-utils")
        }
        // Not `write`: event loops wake each other with it, and sockets are written with it.
        let calls = [
            "posix/io/rw/pwrite", "posix/io/rw/pread", "posix/io/sync/fsync", "posix/io/sync/fdatasync",
            "posix/io/dir/rename", "posix/io/oc/open",
        ]
        let commands = calls.map {
            "enable_random name=\($0),probability=\(perMille / 1000),failinfo=\(errno ?? EIO)"
        }
        return [
            "LD_PRELOAD": "\(folder)/fiu_run_preload.so:\(folder)/fiu_posix_preload.so",
            "FIU_ENABLE": commands.joined(separator: "\n"),
        ]
    }

    /// Sums up what processes complained of.
    private func count(_ scene: Scene, _ campaign: Campaign) throws {
        let kinds: [(String, Regex<Substring>)] = [
            ("blob", /\/store\/tmp\/[^\n]*(?:No space|nput\/output)/),
            ("artifact", /\/artifacts\/[^\n]*(?:No space|disk has|nput\/output)/),
            ("job database", /(?:database or disk is full|disk I\/O error|database disk image is malformed)/),
            ("upload refused in time", /takes (?:no more blobs)/),
            ("folder", /cannot (?:make the folder|rename)[^\n]*(?:No space|nput\/output)/),
        ]
        for name in try FileManager.default.contentsOfDirectory(atPath: scene.folder.path("logs")) {
            let text = try String(contentsOfFile: scene.folder.path("logs/\(name)"), encoding: .utf8)
            for (kind, words) in kinds { campaign.journal.count("said of: \(kind)", text.matches(of: words).count) }
            if errno != nil {
                let lines = text.split(separator: "\n").count {
                    $0.contains("nput/output error") || $0.contains("I/O error") || $0.contains("is malformed")
                }
                campaign.journal.count(Campaign.faults, lines)
            }
        }
    }
}

/// A file that takes what is left of a disk.
final class Filler {
    private let path: String

    init(path: String) { self.path = path }

    /// - Parameter left: bytes that stay free, rounded down to whole pages.
    func fill(leaving left: Int) throws {
        let descriptor = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw QuernError(.io, "cannot fill the disk", at: path) }
        defer { close(descriptor) }
        var step = 64 << 20
        var size = 0
        while step >= 4096 {
            if posix_fallocate(descriptor, off_t(size), off_t(step)) == 0 { size += step } else { step /= 2 }
        }
        if left > 0 { ftruncate(descriptor, off_t(max(0, size - left))) }
    }

    func free() { unlink(path) }
}
