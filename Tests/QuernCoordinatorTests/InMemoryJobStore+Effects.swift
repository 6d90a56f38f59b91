import QuernCoordinator
import QuernFormats
import QuernJobs

extension InMemoryJobStore {
    subscript(_ id: WorkItemID) -> Item {
        guard let job = jobs[id.job] else { preconditionFailure("no such job in the model") }
        return job.items[id.ordinal]
    }

    func item(_ lease: Lease) -> Item? {
        guard let job = jobs[lease.item.job], job.items.indices.contains(lease.item.ordinal) else { return nil }
        return job.items[lease.item.ordinal]
    }

    func change(_ id: WorkItemID, _ body: (inout Item) -> Void) {
        if var item = jobs[id.job]?.items[id.ordinal] {
            body(&item)
            jobs[id.job]?.items[id.ordinal] = item
        }
    }

    /// By job, then ordinal.
    func allItems(where condition: (Item) -> Bool) -> [WorkItemID] {
        jobs.values.flatMap(\.items).filter(condition).map(\.life.id)
            .sorted { ($0.job.rawValue, $0.ordinal) < ($1.job.rawValue, $1.ordinal) }
    }

    func held(by session: SessionID) -> [WorkItemID] {
        allItems { $0.life.state == .leased && $0.session == session }
    }

    /// The item with its setbacks since it was last forgiven.
    func judged(_ id: WorkItemID) -> ItemLife {
        let item = self[id]
        var life = item.life
        life.setbacks = item.attempts.compactMap { attempt in
            guard attempt.number > item.forgiven, let outcome = attempt.outcome, [.failed, .lost].contains(outcome)
            else { return nil }
            return Setback(node: attempt.node, outcome: outcome, message: attempt.message)
        }
        return life
    }

    /// An event that no lease can make fail.
    func happen(_ id: WorkItemID, _ event: ItemEvent) {
        guard let mutations = try? decide(judged(id), event, at: now, policy: settings.retry) else {
            preconditionFailure("the model lets something happen that cannot: \(event)")
        }
        apply(id, mutations)
    }

    func apply(_ id: WorkItemID, _ mutations: [ItemMutation]) {
        let before = self[id].life
        change(id) { item in
            item.life = item.life.applying(mutations)
            if item.life.state != .leased { item.session = nil }
            if mutations.contains(.forgive) { item.forgiven = item.life.attempts }
        }
        for mutation in mutations {
            switch mutation {
            case .closeAttempt(let outcome, let message): close(before, outcome, message)
            case .dropResult: change(id) { $0.result = nil }
            case .rewindDependents: for dependent in dependents(of: id) { happen(dependent, .outdated) }
            case .countDownDependents: countDependents(of: id, .dependencyDone, by: -1)
            case .countUpDependents: countDependents(of: id, .dependencyUndone, by: 1)
            case .suspect(let node): nodeFailures[node, default: [:]][id] = now
            case .failJob(let reason): change(id.job, .itemGivenUp(reason))
            case .announce(let kind, let message): announce(id.job, kind, id.ordinal, message)
            default: break
            }
        }
    }

    private func close(_ life: ItemLife, _ outcome: AttemptOutcome, _ message: String) {
        change(life.id) { item in
            guard let index = item.attempts.firstIndex(where: { $0.lease == life.leaseID }) else { return }
            item.attempts[index].outcome = outcome
            item.attempts[index].message = message
            if outcome == .done { nodeFailures[item.attempts[index].node] = nil }
        }
    }

    /// All that depends on an item, directly or not, by ordinal.
    private func dependents(of id: WorkItemID) -> [WorkItemID] {
        var found: Set<Int> = []
        var open = self[id].dependents
        while let next = open.popLast() {
            if found.insert(next).inserted { open += self[WorkItemID(job: id.job, ordinal: next)].dependents }
        }
        return found.sorted().map { WorkItemID(job: id.job, ordinal: $0) }
    }

    private func countDependents(of id: WorkItemID, _ event: ItemEvent, by change: Int) {
        for child in self[id].dependents {
            let dependent = WorkItemID(job: id.job, ordinal: child)
            if self[dependent].isFanIn && change < 0 {
                apply(dependent, [.changeDependencies(by: change)])
            } else {
                happen(dependent, event)
            }
        }
    }

    func announce(_ job: JobID, _ kind: JobEvent.Kind, _ ordinal: Int?, _ message: String) {
        let sequence = Int64((jobs[job]?.events.count ?? 0) + 1)
        jobs[job]?.events.append(
            JobEvent(sequence: sequence, time: now, kind: kind, ordinal: ordinal, message: message))
    }

    func rejoinShare(_ id: JobID) {
        let running = jobs.values.filter { $0.life.state == .running && $0.plan.id != id }
        guard let least = running.map(\.virtualTime).min(), let own = jobs[id]?.virtualTime else { return }
        jobs[id]?.virtualTime = max(own, least)
    }

    func control(_ id: JobID, _ action: JobAction) throws {
        guard let job = jobs[id] else { throw QuernError(.notFound, "no such job") }
        perform(try decide(job.life, .action(action)), on: id)
    }

    func change(_ id: JobID, _ trigger: JobTrigger) {
        guard let life = jobs[id]?.life, let mutations = try? decide(life, trigger) else { return }
        perform(mutations, on: id)
    }

    private func perform(_ mutations: [JobMutation], on id: JobID) {
        let items = jobs[id]?.items.map(\.life.id) ?? []
        for mutation in mutations {
            switch mutation {
            case .enter(let state): jobs[id]?.life.state = state
            case .finish(let failure):
                jobs[id]?.finished = now
                jobs[id]?.failure = failure
            case .reopen:
                jobs[id]?.finished = nil
                jobs[id]?.failure = nil
            case .cancelItems: for item in items { happen(item, .cancelled) }
            case .retryItems:
                for item in items { happen(item, .retried) }
                _ = readyFanIns(of: id)
            case .rejoinShare: rejoinShare(id)
            case .announce(let kind, let message): announce(id, kind, nil, message)
            }
        }
    }

    private func readyFanIns(of id: JobID) -> Int {
        let free = (jobs[id]?.items ?? []).filter {
            $0.isFanIn && $0.life.state == .blocked && $0.life.dependenciesLeft == 0
        }
        for item in free { apply(item.life.id, [.enter(.ready)]) }
        return free.count
    }

    func settle(_ id: JobID) -> Int {
        guard let job = jobs[id], !job.life.state.isFinal else { return 0 }
        let ready = readyFanIns(of: id)
        guard jobs[id]?.items.allSatisfy({ $0.life.state == .done }) == true else { return ready }
        change(id, .allItemsDone)
        return ready + 1
    }
}
