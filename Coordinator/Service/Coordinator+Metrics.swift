import QuernJobs

extension Coordinator {
    /// Counters of this process and the state of the newest thousand jobs, in the Prometheus text format (0.0.4). While
    /// the job database is away, all but what it knows.
    func metrics() async throws -> String {
        var text = MetricsText()
        let jobs = try? await store.jobs(limit: 1000)
        text.add("database_up", "gauge", "Whether the job database answers.", [("", jobs == nil ? "0" : "1")])
        if let jobs { text.add(jobs) }
        text.add("disk_used_ratio", "gauge", "Used part of the fullest disk.", [("", "\(try await disk.used())")])
        let counters = counters.withLock { $0 }
        text.add("claims_waiting", "gauge", "Claims that wait for work.", [("", "\(counters.claimsWaiting)")])
        for counter in counters.all {
            text.add(counter.name, "counter", counter.help, [("", "\(counter.value)")])
        }
        return text.text
    }
}

private struct MetricsText {
    private(set) var text = ""

    mutating func add(
        _ name: String, _ type: String, _ help: String, _ samples: [(labels: String, value: String)]
    ) {
        text += "# HELP quern_\(name) \(help)\n# TYPE quern_\(name) \(type)\n"
        for sample in samples { text += "quern_\(name)\(sample.labels) \(sample.value)\n" }
    }

    mutating func add(_ jobs: [JobRecord]) {
        let running = jobs.filter { !$0.state.isFinal }
        add(
            "jobs", "gauge", "Jobs by state.",
            JobState.allCases.map { state in
                ("{state=\"\(state.rawValue)\"}", "\(jobs.count { $0.state == state })")
            })
        add(
            "items", "gauge", "Work items of jobs that have not ended, by state.",
            ItemState.allCases.map { state in
                let count = running.reduce(0) { $0 + ($1.progress.items[state.rawValue] ?? 0) }
                return ("{state=\"\(state.rawValue)\"}", "\(count)")
            })
        add(
            "work_left", "gauge", "Estimated work that is left in jobs that have not ended, in bytes read and written.",
            [("", "\(running.reduce(Int64(0)) { $0 + $1.progress.costTotal - $1.progress.costDone })")])
    }
}
