import ArgumentParser
import AsyncHTTPClient
import Foundation
import QuernFormats
import QuernStore
import TestSupport

struct FlipCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flip",
        abstract: "Flip single bits of stored blobs.",
        discussion: """
            Example: quern-faults flip --count 1000 --live 50

            First blobs of finished jobs, one at a time: each flip must be found when the blob is read. Then blobs of \
            jobs that run: the items that made them are done again, and the artifacts come out the same.
            """)

    @OptionGroup var options: FaultOptions

    @Option(help: "How many more to flip in running jobs.")
    var live = 20

    func run() async throws {
        let campaign = try Campaign("flip", options, count: 1000)
        let expected = Expected()
        var liveLeft = live
        try await campaign.run { number, generator in
            var generator = generator
            let kinds = campaign.kinds.shuffled(using: &generator)
            let round = Round(campaign: campaign, number: number, expected: expected, losesBlobs: true, kinds: kinds)
            try await round.run { scene in
                var flips = LiveFlips(scene: scene, campaign: campaign)
                while liveLeft > 0, try await scene.isRunning() {
                    try await Task.sleep(for: .milliseconds(Int.random(in: 50...400, using: &generator)))
                    if try await flips.flip(using: &generator) { liveLeft -= 1 }
                }
                try await scene.finish()
                try flips.settle()
                var resting = RestingFlips(scene: scene, campaign: campaign)
                // Another round where running jobs have not been hit often enough.
                let most = campaign.journal.sum(Campaign.faults) + (liveLeft > 0 ? 100 : Int.max / 2)
                while campaign.goesOn, campaign.journal.sum(Campaign.faults) < most {
                    try await resting.flip(using: &generator)
                }
            }
        }
    }
}

/// A blob's file in a store.
struct StoredBlob {
    let path: String
    let digest: Digest

    static func all(in store: String) throws -> [StoredBlob] {
        let root = store + "/sha256"
        return try FileManager.default.subpathsOfDirectory(atPath: root).sorted().compactMap { name in
            let file = name.split(separator: "/").last.map(String.init) ?? name
            return Digest(hex: file.hasSuffix(".zst") ? String(file.dropLast(4)) : file).map {
                StoredBlob(path: "\(root)/\(name)", digest: $0)
            }
        }
    }

    var isCompressed: Bool { path.hasSuffix(".zst") }

    func bytes() throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

    /// Flips a bit, in one case of three among the first 24 bytes, where frames have their headers.
    /// - Returns: which one; nil where the file is gone or empty.
    func flip(using generator: inout SeededGenerator) throws -> (byte: Int, bit: Int)? {
        guard let file = FileHandle(forUpdatingAtPath: path) else { return nil }
        defer { try? file.close() }
        let size = Int(try file.seekToEnd())
        guard size > 0 else { return nil }
        let isHeader = Int.random(in: 0..<3, using: &generator) == 0
        let byte = Int.random(in: 0..<(isHeader ? min(24, size) : size), using: &generator)
        let bit = Int.random(in: 0..<8, using: &generator)
        try file.seek(toOffset: UInt64(byte))
        guard let old = try file.read(upToCount: 1)?.first else { return nil }
        try file.seek(toOffset: UInt64(byte))
        try file.write(contentsOf: [old ^ (1 << UInt8(bit))])
        return (byte, bit)
    }
}

/// Flips in blobs that nobody works with.
struct RestingFlips {
    let scene: Scene
    let campaign: Campaign
    private let store: FolderBlobStore?
    private let blobs: [StoredBlob]

    init(scene: Scene, campaign: Campaign) {
        self.scene = scene
        self.campaign = campaign
        store = try? FolderBlobStore(root: scene.store)
        blobs = (try? StoredBlob.all(in: scene.store)) ?? []
    }

    private enum Reader: String, CaseIterable {
        case get, stream, http
    }

    private enum Finding: Equatable {
        case found
        /// What was handed out is right, for the bit has no meaning.
        case unharmed
        case missed
    }

    /// Flips a bit, reads the blob, and puts the bit back.
    mutating func flip(using generator: inout SeededGenerator) async throws {
        guard let blob = blobs.randomElement(using: &generator), let store else {
            throw QuernError(.notFound, "there are no blobs", at: scene.store)
        }
        let stored = try blob.bytes()
        let whole = try store.load(blob.digest)
        guard let place = try blob.flip(using: &generator) else { return }
        let reader = Reader.allCases.randomElement(using: &generator) ?? .get
        let finding = try await read(blob, whole, store, reader)
        try Data(stored).write(to: URL(fileURLWithPath: blob.path))
        for name in try FileManager.default.contentsOfDirectory(atPath: scene.store + "/damaged")
        where name.hasPrefix(blob.digest.hex) {
            try FileManager.default.removeItem(atPath: "\(scene.store)/damaged/\(name)")
        }
        let text = "bit \(place.bit) of byte \(place.byte) of \(stored.count) in \(blob.path)"
        campaign.fault(blob.isCompressed ? "compressed" : "plain", "\(text): \(finding), by \(reader.rawValue)")
        campaign.journal.count("\(finding)")
        if finding == .missed { campaign.journal.violation("\(text) was not found by \(reader.rawValue)") }
    }

    private func read(
        _ blob: StoredBlob, _ whole: [UInt8], _ store: FolderBlobStore, _ reader: Reader
    ) async throws -> Finding {
        var bytes: [UInt8] = []
        do {
            switch reader {
            case .get: bytes = try await store.get(blob.digest)
            case .stream: try store.stream(blob.digest, checked: true) { bytes += $0 }
            case .http:
                let request = HTTPClientRequest(url: "\(scene.cluster.url)/v1/blobs/\(blob.digest.hex)")
                let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
                guard response.status == .ok else { return .found }
                bytes = Array(buffer: try await response.body.collect(upTo: maximumBlobBytes))
            }
        } catch let error as QuernError where error.code == .corrupted {
            return .found
        }
        return bytes == whole ? .unharmed : .missed
    }
}

/// Flips in results of items while jobs run.
struct LiveFlips {
    let scene: Scene
    let campaign: Campaign
    private var flipped: [StoredBlob] = []

    init(scene: Scene, campaign: Campaign) {
        self.scene = scene
        self.campaign = campaign
    }

    /// - Returns: whether there was a blob to flip a bit in.
    mutating func flip(using generator: inout SeededGenerator) async throws -> Bool {
        // Of jobs that still run, so that somebody may yet read it; and the result of an item, which can be made again.
        let results = try await scene.database.rows(
            """
            SELECT r.result, w.stage FROM item_results r JOIN jobs j ON j.id = r.job AND j.state = 'running'
            JOIN work_items w ON w.job = r.job AND w.ordinal = r.ordinal
            """)
        let made = Set(results.flatMap { $0[0].string.matches(of: /[0-9a-f]{64}/).map { String($0.0) } })
        let candidates = try StoredBlob.all(in: scene.store).filter { made.contains($0.digest.hex) }
        guard let blob = candidates.randomElement(using: &generator) else { return false }
        guard let place = try blob.flip(using: &generator) else { return false }
        flipped.append(blob)
        campaign.journal.count("flipped in running jobs")
        campaign.journal.line("live: bit \(place.bit) of byte \(place.byte) in \(blob.path)")
        return true
    }

    /// Says what became of the flipped: found by a reader and set aside, or never read again.
    func settle() throws {
        let aside = try FileManager.default.contentsOfDirectory(atPath: scene.store + "/damaged")
        let store = try FolderBlobStore(root: scene.store)
        for digest in Set(flipped.map(\.digest)) {
            if aside.contains(where: { $0.hasPrefix(digest.hex) }) {
                campaign.journal.count("  found by the job")
                if (try? store.load(digest)) != nil { campaign.journal.count("  made again") }
            } else if (try? store.load(digest)) != nil {
                campaign.journal.count("  stored anew, or unharmed")
            } else {
                campaign.journal.count("  not read again by the job, found now")
            }
        }
    }
}
