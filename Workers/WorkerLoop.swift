import Logging
import QuernFormats
import QuernJobs
import QuernStore

/// One run of a worker: its session, the items it holds, and the tasks that move them on.
actor WorkerLoop {
    let service: any WorkerService
    let configuration: WorkerConfiguration
    let logger: Logger
    let retry: Retry
    /// Fires when nothing more is to be begun.
    let stop: Signal
    /// Fires when nothing more is to be tried at all.
    let ended = Signal()
    let blobs: BlobAccess
    let artifacts: (@Sendable (JobID) -> any ArtifactPlace)?
    let computing: ThreadPool
    let finishing: ThreadPool
    let scratch = ScratchPool()
    /// Of jobs whose parts are written in place.
    var openArtifacts: [JobID: OpenArtifacts] = [:]

    var held: HeldItems
    var grant: SessionGrant?
    private var opening: Task<SessionGrant, any Error>?
    /// Fires, and is replaced, when an item has moved on.
    private var changed = Signal()
    private var lastActivity = ContinuousClock.now
    /// Why the worker is to end, though nobody told it to.
    private var loss: QuernError?

    init(
        service: any WorkerService, blobs: any BlobStore, artifacts: (@Sendable (JobID) -> any ArtifactPlace)?,
        configuration: WorkerConfiguration, logger: Logger, stop: Signal
    ) {
        self.service = service
        self.artifacts = artifacts
        self.configuration = configuration
        self.logger = logger
        self.stop = stop
        retry = Retry(pause: configuration.retryPause, logger: logger)
        self.blobs = BlobAccess(store: blobs, retry: retry)
        held = HeldItems(slots: configuration.slots, memory: configuration.memory)
        computing = ThreadPool(name: "compute", threads: configuration.slots)
        finishing = ThreadPool(name: "finish", threads: 2 * configuration.slots + 2)
    }

    func run() async throws {
        let heartbeats = Task { await beat() }
        var failure: (any Error)?
        do {
            try await claimUntilStopped()
        } catch is CancellationError {
        } catch {
            failure = error
        }
        stop.fire()
        await drain()
        ended.fire()
        await heartbeats.value
        await closeSession()
        if let failure = failure ?? loss { throw failure }
    }

    /// Ends the worker, once it has finished what it holds: it cannot do any more what its session says it can.
    func end(for error: QuernError) {
        loss = loss ?? error
        stop.fire()
    }

    /// Notes that an item has moved on, and begins what can begin.
    func movedOn() {
        lastActivity = .now
        beginItems()
        if held.isEmpty { MemoryPolicy.trim() }
        changed.fire()
        changed = Signal()
    }
}

// MARK: Session

extension WorkerLoop {
    /// Troubles of the coordinator that have nothing to do with what it was asked.
    private var faults: Set<QuernError.Code> {
        configuration.waitsOutFaults ? [.outOfSpace, .outOfMemory, .io, .corrupted, .internalFault] : []
    }

    /// The session, opened where there is none.
    /// - Throws: `CancellationError` where the worker is told to stop first.
    private func session() async throws -> SessionGrant {
        if let grant { return grant }
        if let opening { return try await opening.value }
        let possible = Stage.allCases.filter { artifacts != nil || !$0.needsArtifacts }
        let stages = possible.filter { configuration.stages?.contains($0) ?? true }
        let request = SessionRequest(
            node: configuration.node, slots: configuration.slots, memory: configuration.memory, stages: stages,
            forward: configuration.engine.forwardDevices)
        let task = Task { [retry, service, stop, faults] in
            try await retry.call("open a session", until: stop, waitingOut: faults) {
                try await service.openSession(request)
            }
        }
        opening = task
        defer { opening = nil }
        let granted = try await task.value
        logger.info("session \(granted.session)")
        grant = granted
        lastActivity = .now
        return granted
    }

    /// The coordinator no longer knows the session: its leases are gone. Results on their way are still handed in,
    /// for nobody may have claimed their items since.
    private func sessionExpired(_ session: SessionID) {
        guard grant?.session == session else { return }
        logger.warning("session \(session) has expired; opening another")
        grant = nil
        for item in held.all where item.session == session && item.phase != .finishing { drop(item.claim.lease) }
    }

    /// Says that the worker lives and how far it is, at the interval it was given, and drops what was lost.
    private func beat() async {
        while true {
            let pause = Duration.seconds(grant?.heartbeatSeconds ?? 1)
            if await ended.wait(atMost: pause) { return }
            guard let session = grant?.session else { continue }
            let report = HeartbeatReport(
                leases: held.all.filter { $0.session == session }.map {
                    HeartbeatReport.Progress(lease: $0.claim.lease, fraction: $0.control.fraction)
                })
            do {
                let reply = try await ended.racing { [service] in try await service.heartbeat(session, report) }
                for lease in reply?.lost ?? [] { drop(lease) }
            } catch let error as QuernError where error.code == .notFound {
                sessionExpired(session)
            } catch {
                logger.debug("heartbeat: \(error)")
            }
        }
    }

    /// Drops an item whose lease does not hold any more.
    private func drop(_ lease: Lease) {
        guard let item = held.remove(lease) else { return }
        logger.info("lost the lease of item \(lease.item.ordinal) of job \(lease.item.job)")
        item.control.dropped.fire()
        movedOn()
    }

    private func closeSession() async {
        guard let session = grant?.session else { return }
        let patience = Signal()
        let timer = Task {
            try? await Task.sleep(for: .seconds(5))
            patience.fire()
        }
        // A session that cannot be closed expires by itself.
        _ = try? await patience.racing { [service] in try await service.closeSession(session) }
        timer.cancel()
    }
}

// MARK: Claims

extension WorkerLoop {
    private func claimUntilStopped() async throws {
        while !stop.isFired {
            let room = held.room
            guard room > 0 else {
                await waitForChange()
                continue
            }
            var wait = configuration.claimWait
            let session = try await session().session
            if let limit = configuration.exitWhenIdle {
                let left = held.isEmpty ? limit - (ContinuousClock.now - lastActivity) : limit
                wait = max(.milliseconds(1), min(wait, left))
            }
            let begun = ContinuousClock.now
            do {
                let claims = try await retry.call("claim", until: stop, waitingOut: faults) { [service, wait] in
                    try await service.claim(session, limit: room, wait: wait)
                }
                let took = ContinuousClock.now - begun
                // Time in which the coordinator was away is not idleness.
                if !claims.isEmpty || took > wait + .seconds(5) { lastActivity = .now }
                hold(claims, session)
                if isIdle { return }
                // A service that does not wait is not to be asked without a pause.
                if claims.isEmpty, took < wait / 2 { await stop.wait(atMost: min(wait - took, .milliseconds(200))) }
            } catch let error as QuernError where error.code == .notFound {
                sessionExpired(session)
            }
        }
    }

    /// Whether nothing came for so long, and nothing is held, that the worker is to end.
    private var isIdle: Bool {
        guard let limit = configuration.exitWhenIdle, held.isEmpty else { return false }
        return ContinuousClock.now - lastActivity >= limit
    }

    private func hold(_ claims: [Claim], _ session: SessionID) {
        for claim in claims {
            held.add(
                HeldItem(
                    claim: claim, session: session, control: WorkControl(),
                    memory: claim.payload.peakMemory(
                        streaming: blobs.streams,
                        objects: artifacts?(claim.lease.item.job) as? any ArtifactObjects, engine: configuration.engine),
                    phase: .waiting))
        }
        let surplus = held.removeSurplus()
        if !surplus.isEmpty { Task { for item in surplus { await release(item.claim.lease) } } }
        beginItems()
    }

    private func waitForChange(atMost limit: Duration = .seconds(1)) async {
        await changed.wait(atMost: limit)
    }

    /// Gives back what has not begun, and waits for the rest within limits.
    private func drain() async {
        let deadline = ContinuousClock.now + configuration.drainLimit
        let end = deadline + .seconds(5)
        // Nor is a coordinator that is away waited for beyond that: what is not given back expires.
        let timer = Task { [ended] in
            try await Task.sleep(until: end)
            ended.fire()
        }
        defer { timer.cancel() }
        for item in held.removeWaiting() { await release(item.claim.lease) }
        await waitUntilEmpty(deadline)
        guard !held.isEmpty else { return }
        logger.warning("giving back \(held.all.count) items that are not done")
        for item in held.all { item.control.dropped.fire() }
        await waitUntilEmpty(end)
    }

    private func waitUntilEmpty(_ deadline: ContinuousClock.Instant) async {
        while !held.isEmpty, ContinuousClock.now < deadline {
            await waitForChange(atMost: min(.seconds(1), deadline - .now))
        }
    }
}
