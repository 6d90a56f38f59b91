import Foundation
import Hummingbird
import Logging
import QuernClient
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import ServiceLifecycle
import Testing

/// Long polls, event streams and shutting down.
@Suite(.timeLimit(.minutes(10))) struct ServiceWaitingTests {
    /// A claim that waits far longer than the test may take comes back because a job was submitted.
    @Test func submissionWakesAClaim() async throws {
        let rig = try await ServiceRig.make {
            $0.tick = .seconds(3600); $0.longPoll = .seconds(3600)
        }
        try await rig.serve { client in
            let session = try await client.openSession(ServiceRig.worker).session
            async let claims = client.claim(session, limit: 1, wait: .seconds(3600))
            try await rig.until(waiting: 1)
            try await rig.submit()
            #expect(try await claims.count == 1)
        }
    }

    @Test func completionWakesAClaim() async throws {
        let rig = try await ServiceRig.make {
            $0.tick = .seconds(3600); $0.longPoll = .seconds(3600)
        }
        let duties = Task { try await rig.coordinator.run() }
        defer { duties.cancel() }
        let job = try await rig.submit()
        let session = try await rig.coordinator.openSession(ServiceRig.worker).session
        // Every claim but the first waits for the completion before it: nothing else ever wakes it.
        var stages: [Stage] = []
        while stages.last != .publish {
            for claim in try await rig.coordinator.claim(session, limit: 8, wait: .seconds(3600)) {
                stages.append(claim.payload.stage)
                try await rig.coordinator.complete(claim.lease, try rig.completion(of: claim))
            }
        }
        #expect(stages == [.encode, .encode, .encode, .assemble, .publish])
        #expect(try await rig.coordinator.job(job.id).state == .done)
    }

    @Test func waitsEnd() async throws {
        let rig = try await ServiceRig.make { $0.longPoll = .milliseconds(50) }
        try await rig.serve { client in
            let session = try await client.openSession(ServiceRig.worker).session
            // Cut to the coordinator's own limit.
            #expect(try await client.claim(session, limit: 1, wait: .seconds(3000)).isEmpty)
        }
    }

    /// Items are not handed to a caller who has hung up.
    @Test func hangingUp() async throws {
        let rig = try await ServiceRig.make {
            $0.tick = .seconds(3600); $0.longPoll = .seconds(3600)
        }
        try await rig.serve { client in
            let session = try await client.openSession(ServiceRig.worker).session
            let waiting = Task { try await client.claim(session, limit: 8, wait: .seconds(3600)) }
            try await rig.until(waiting: 1)
            waiting.cancel()
            try await rig.until(waiting: 0)
            let error = await #expect(throws: QuernError.self) { try await waiting.value }
            #expect(error?.code == .cancelled)
            let job = try await rig.submit()
            let other = try await client.openSession(ServiceRig.worker).session
            #expect(try await client.claim(other, limit: 8, wait: .zero).count == ServiceRig.spans)
            #expect(try await client.items(of: job.id).filter { $0.state == .leased }.count == ServiceRig.spans)
        }
    }

    @Test func watchingAJob() async throws {
        let rig = try await ServiceRig.make()
        let job = try await rig.submit()
        try await rig.serve { client in
            var kinds: [JobEvent.Kind] = []
            var last: JobProgress?
            var acted = false
            for try await update in client.watch(job.id) {
                switch update {
                case .event(let event): kinds.append(event.kind)
                case .progress(let progress): last = progress
                }
                if !acted, last != nil {
                    acted = true
                    _ = try await rig.finish(job)
                }
            }
            #expect(kinds == [.submitted, .done])
            #expect(last?.state == .done)
            #expect(last?.progress.items == ["done": 5])
            #expect(last?.progress.costDone == job.progress.costTotal)
            await #expect(throws: QuernError.self) { for try await _ in client.watch(JobID(rawValue: "none")) {} }
        }
    }

    /// A job says what it waits for as long as nobody can take its items, to who asks and to who watches.
    @Test func nobodyToDoTheWork() async throws {
        let rig = try await ServiceRig.make { $0.tick = .milliseconds(20) }
        let job = try await rig.submit()
        try await rig.serve { client in
            let waiting = try #require(try await client.job(job.id).waiting)
            #expect(waiting.contains("no connected worker takes encode items"))
            var told: [String?] = []
            for try await case .progress(let progress) in client.watch(job.id) {
                if told.last != .some(progress.waiting) { told.append(progress.waiting) }
                if told == [waiting] {
                    _ = try await client.openSession(ServiceRig.worker)
                } else if told == [waiting, nil] {
                    _ = try await client.control(job.id, .cancel)
                }
            }
            #expect(told == [waiting, nil])
            #expect(try await client.job(job.id).waiting == nil)
        }
    }

    /// The server ends while a claim waits and a stream is open, and the stream's reader goes on at the next server.
    @Test func shuttingDownAndComingBack() async throws {
        let rig = try await ServiceRig.make { $0.longPoll = .seconds(3600) }
        let job = try await rig.submit()
        let port = try freePort()
        let client = try CoordinatorClient(url: "http://127.0.0.1:\(port)")
        let first = Serving(try CoordinatorServer(coordinator: rig.coordinator, listen: "127.0.0.1:\(port)"))
        let group = ServiceGroup(configuration: .init(services: [.init(service: first)], logger: Logger(label: "test")))
        let running = Task { try await group.run() }
        await first.ready()

        let session = try await client.openSession(
            SessionRequest(node: "one", slots: 1, memory: 1 << 30, stages: [.publish])
        ).session
        let claim = Task { try await client.claim(session, limit: 1, wait: .seconds(3600)) }
        try await rig.until(waiting: 1)
        let (seen, see) = AsyncStream.makeStream(of: JobUpdate.self)
        let watching = Task {
            defer { see.finish() }
            for try await update in client.watch(job.id) { see.yield(update) }
        }
        var updates = seen.makeAsyncIterator()
        guard case .event(let submitted)? = await updates.next() else { throw QuernError(.internalFault, "no event") }
        #expect(submitted.kind == .submitted)

        await group.triggerGracefulShutdown()
        try await running.value
        #expect(try await claim.value.isEmpty)

        let again = try await ServiceRig.make(store: rig.store)
        _ = try await again.coordinator.control(job.id, .cancel)
        let second = Serving(try CoordinatorServer(coordinator: again.coordinator, listen: "127.0.0.1:\(port)"))
        let serving = Task { try await second.run() }
        defer { serving.cancel() }
        var kinds: [JobEvent.Kind] = []
        while let update = await updates.next() {
            if case .event(let event) = update { kinds.append(event.kind) }
        }
        try await watching.value
        // Neither lost nor repeated.
        #expect(kinds == [.cancelled])
    }
}

/// A server as a service that tells when its port is open.
private struct Serving: Service {
    let server: CoordinatorServer
    private let opened = AsyncStream.makeStream(of: Void.self)

    init(_ server: CoordinatorServer) { self.server = server }

    func run() async throws {
        try await server.run { _ in opened.continuation.yield() }
    }

    func ready() async {
        for await _ in opened.stream { return }
    }
}

extension ServiceRig {
    /// Waits until so many claims wait for work.
    func until(waiting count: Int) async throws {
        while true {
            let metrics = try await route { try await $0.execute(uri: "/metrics", method: .get).text }
            if metrics.split(separator: "\n").contains("quern_claims_waiting \(count)") { return }
            await Task.yield()
        }
    }
}

/// A port that is free now.
private func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
        }
    }
    guard bound else { throw QuernError(.io, "no free port") }
    return Int(UInt16(bigEndian: address.sin_port))
}
