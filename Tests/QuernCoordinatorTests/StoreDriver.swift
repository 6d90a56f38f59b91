import Foundation
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import TestSupport

/// One step of a random test. Jobs, sessions and leases are named by the order in which they came to be, which is
/// the same on every store, whatever ids they were given.
enum StoreOperation: Sendable {
    case insert(job: Int, shape: Int)
    case openSession(node: Int, memory: Int64)
    case claim(session: Int, limit: Int)
    case complete(lease: Int, text: String, keepingBlobs: Bool)
    case fail(lease: Int, WorkFailure.Class, text: String)
    case release(lease: Int)
    case heartbeat(session: Int, leases: [Int])
    case closeSession(Int)
    case control(job: Int, JobAction)
    case holds(lease: Int)
    case reap, resolve, lookUp
    case moveToHistory(age: Double, limit: Int)
    case lead(LeaderDuty, holder: Int)
    case keepBlobs([String])
    case announceBlobs([String])
    case confirmBlobs
    case registerBlob(String)
    case condemnBlobs(grace: Double, parts: Double)
    case removeBlobs
    case advance(seconds: Double)

    static let texts = ["a", "b", "c"]

    static func random(using random: inout SeededGenerator, leases: Int) -> StoreOperation {
        // Mostly recent leases, now and then one from long ago.
        let recent = max(0, leases - 8)
        let from = Int.random(in: 0..<4, using: &random) == 0 ? 0 : recent
        let lease = leases == 0 ? 0 : Int.random(in: from..<max(leases, from + 1), using: &random)
        let text = texts[Int.random(in: 0..<texts.count, using: &random)]
        let session = Int.random(in: 0..<64, using: &random)
        let job = Int.random(in: 0..<5, using: &random)
        switch Int.random(in: 0..<116, using: &random) {
        case 0..<6: return .insert(job: job, shape: Int.random(in: 0..<3, using: &random))
        case 6..<11:
            return .openSession(
                node: Int.random(in: 0..<3, using: &random), memory: Int64.random(in: 100...400, using: &random))
        case 11..<33: return .claim(session: session, limit: Int.random(in: 0...3, using: &random))
        case 33..<55: return .complete(lease: lease, text: text, keepingBlobs: Bool.random(using: &random))
        case 55..<65:
            return .fail(
                lease: lease, WorkFailure.Class.allCases.randomElement(using: &random) ?? .transient, text: text)
        case 65..<68: return .release(lease: lease)
        case 68..<76: return .heartbeat(session: session, leases: Array(recent..<leases))
        case 76..<77: return .closeSession(session)
        case 77..<82: return .control(job: job, JobAction.allCases.randomElement(using: &random) ?? .retry)
        case 82..<87: return .reap
        case 87..<90: return .resolve
        case 90..<91: return .lookUp
        case 91..<92:
            return .lead(
                LeaderDuty.allCases.randomElement(using: &random) ?? .leader,
                holder: Int.random(in: 0..<2, using: &random))
        case 100..<103:
            let some = texts.filter { _ in Bool.random(using: &random) }
            switch Int.random(in: 0..<3, using: &random) {
            case 0: return .keepBlobs(some)
            case 1: return .announceBlobs(some)
            default: return .confirmBlobs
            }
        case 103: return .registerBlob(text)
        case 104..<107:
            return .condemnBlobs(
                grace: Double.random(in: 0...60, using: &random).rounded(),
                parts: Double.random(in: 0...200, using: &random).rounded())
        case 107: return .removeBlobs
        case 108..<114:
            return .moveToHistory(
                age: Double.random(in: 0...60, using: &random).rounded(), limit: Int.random(in: 1...4, using: &random))
        case 114..<116: return .holds(lease: lease)
        default: return .advance(seconds: Double.random(in: 1...40, using: &random).rounded())
        }
    }
}

/// Does operations on one store.
final class StoreDriver {
    private let rig: StoreRig
    private var sessions: [SessionID] = []
    private var leases: [Lease] = []
    private var jobs: [JobID] = []
    private var arrivals: [Digest: BlobArrival] = [:]
    private(set) var itemsMoved = 0

    init(rig: StoreRig) { self.rig = rig }

    var leaseCount: Int { leases.count }

    /// - Returns: the answer, or the code of the error, as text that is the same on every store.
    func perform(_ operation: StoreOperation) async -> String {
        do {
            try await rig.advance(by: 0.001)
            return try await answer(to: operation)
        } catch let error as QuernError {
            return "error \(error.code)"
        } catch let error as UnkeptBlobs {
            return "unkept \(error.digests.map(\.hex).sorted())"
        } catch {
            return "unexpected \(error)"
        }
    }

    private func answer(to operation: StoreOperation) async throws -> String {
        let store = rig.store
        switch operation {
        case .insert(let number, let shape):
            let job = Self.job(number, shape: shape)
            let id = try await store.insert(job)
            if !jobs.contains(id) { jobs.append(id) }
            return id.rawValue
        case .openSession(let node, let memory):
            sessions.append(try await rig.session(node: "node \(node)", memory: memory))
        case .claim(let number, let limit):
            guard let session = session(number) else { return "-" }
            let claims = try await store.claim(session, limit: limit)
            leases += claims.map(\.lease)
            return claims.map { claim in
                "\(claim.lease.item) \(claim.lease.fence) \(claim.attempt) \(claim.inputs.keys.sorted())"
            }.joined(separator: "; ")
        case .complete(let number, let text, let keepingBlobs):
            guard leases.indices.contains(number) else { return "-" }
            try await store.complete(
                leases[number], Sample.completion(text), continuing: nil, keepingBlobs: keepingBlobs)
        case .fail(let number, let kind, let text):
            guard leases.indices.contains(number) else { return "-" }
            try await store.fail(leases[number], Sample.failure(kind, text, blobs: [Sample.digest(text)]))
        case .release(let number):
            guard leases.indices.contains(number) else { return "-" }
            try await store.release(leases[number])
        case .heartbeat(let number, let reported):
            guard let session = session(number) else { return "-" }
            let progress = reported.map { HeartbeatReport.Progress(lease: leases[$0], fraction: 0.5) }
            let lost = try await store.heartbeat(session, HeartbeatReport(leases: progress), expiry: StoreRig.expiry)
            return "\(leases.indices.filter { lost.contains(leases[$0]) })"
        case .closeSession(let number):
            guard let session = session(number) else { return "-" }
            try await store.closeSession(session)
        case .control(let number, let action):
            try await store.control(JobID(rawValue: "job \(number)"), action)
        case .holds(let number):
            guard leases.indices.contains(number) else { return "-" }
            let named = try await store.blobsNamed(by: leases[number].item)
            return "\(try await store.holds(leases[number])) \(named.map(\.hex).sorted())"
        case .reap: return "\(try await store.reap())"
        case .moveToHistory(let age, let limit):
            itemsMoved += try await store.moveToHistory(endedFor: .seconds(age), limit: limit) ?? 0
        case .resolve: return "\(try await store.resolve())"
        case .lookUp:
            let keys = StoreOperation.texts.map { Sample.digest("key of \($0)") }
            return "\(try await store.lookUp(keys).values.map(\.digest.hex).sorted())"
        case .lead(let duty, let holder):
            return "\(try await store.lead(duty, holder: "\(holder)", term: .seconds(15)))"
        case .keepBlobs(let texts):
            return "\(try await store.keepBlobs(texts.map(Sample.digest)).map(\.hex).sorted())"
        case .announceBlobs(let texts):
            let announced = try await store.announceBlobs(texts.map(Sample.digest))
            arrivals.merge(announced) { _, newer in newer }
            return "\(announced.map { "\($0.key) \($0.value.time)" }.sorted())"
        case .confirmBlobs:
            return "\(try await store.confirmBlobs(arrivals).map(\.hex).sorted())"
        case .registerBlob(let text): try await store.registerBlobs([Sample.digest(text)])
        case .condemnBlobs(let grace, let parts):
            var retention = BlobRetention(parts: .seconds(parts), grace: .zero)
            retention.grace = .seconds(grace)
            return "\(try await store.condemnBlobs(retention))"
        case .removeBlobs:
            let leaving = try await store.blobsToDelete(limit: 2)
            try await store.forgetBlobs(leaving)
            return "\(leaving.map(\.hex))"
        case .advance(let seconds): try await rig.advance(by: seconds)
        }
        return "done"
    }

    /// Everything there is to see, one text per part.
    func snapshot() async throws -> [String] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        func text(_ value: some Encodable) throws -> String {
            String(decoding: try encoder.encode(value), as: UTF8.self)
        }
        var parts = [try text(try await rig.store.jobs(limit: 100))]
        for job in jobs {
            let items = try await rig.store.items(of: job)
            parts += try items.map { "\(job) \(try text($0))" }
            parts += try await rig.store.events(of: job, after: 0).map { "\(job) \(try text($0))" }
            let results = try await rig.store.results(of: job, ordinals: items.map(\.ordinal))
            parts += try results.sorted { $0.key < $1.key }.map { "\(job) \($0.key) \(try text($0.value))" }
        }
        return parts
    }

    private func session(_ number: Int) -> SessionID? {
        // Mostly one of the newest: older ones tend to be dead.
        sessions.isEmpty ? nil : sessions[max(0, sessions.count - 1 - number % 4)]
    }

    /// A small job of one of a few shapes: independent items and a big fan-in, a chain, or a lattice.
    private static func job(_ number: Int, shape: Int) -> NewJob {
        let id = "job \(number)"
        let key = number == 0 ? "key" : nil
        func item(_ ordinal: Int, after dependencies: [Int]) -> PlannedItem {
            Sample.encode(
                cost: Int64(10 + ordinal * 7 % 20), memory: Int64(100 + 90 * (ordinal % 3)), after: dependencies,
                label: "item \(ordinal)")
        }
        switch shape {
        case 0:
            return Sample.job(
                id, items: (0..<4).map { item($0, after: []) } + [item(4, after: [0, 1, 2, 3])], key: key)
        case 1:
            return Sample.job(id, items: (0..<3).map { item($0, after: $0 == 0 ? [] : [$0 - 1]) }, key: key)
        default:
            let edges: [[Int]] = [[], [], [0, 1], [1], [2, 3], [0, 2, 4]]
            let items = edges.enumerated().map { item($0.offset, after: $0.element) }
            return Sample.job(id, items: items, priority: 1, key: key)
        }
    }
}
