import QuernJobs

extension Coordinator {
    /// Counters of this process and the state of the newest thousand jobs, in the Prometheus text format (0.0.4).
    func metrics() async throws -> String {
        var text = ""
        func family(_ name: String, _ type: String, _ help: String, _ samples: [(labels: String, value: String)]) {
            text += "# HELP quern_\(name) \(help)\n# TYPE quern_\(name) \(type)\n"
            for sample in samples { text += "quern_\(name)\(sample.labels) \(sample.value)\n" }
        }
        let jobs = try await store.jobs(limit: 1000)
        family(
            "jobs", "gauge", "Jobs by state.",
            JobState.allCases.map { state in
                ("{state=\"\(state.rawValue)\"}", "\(jobs.count { $0.state == state })")
            })
        family(
            "items", "gauge", "Work items of jobs that have not ended, by state.",
            ItemState.allCases.map { state in
                let count = jobs.filter { !$0.state.isFinal }.reduce(0) {
                    $0 + ($1.progress.items[state.rawValue] ?? 0)
                }
                return ("{state=\"\(state.rawValue)\"}", "\(count)")
            })
        let running = jobs.filter { !$0.state.isFinal }
        family(
            "work_left", "gauge", "Estimated work that is left in jobs that have not ended, in bytes read and written.",
            [("", "\(running.reduce(Int64(0)) { $0 + $1.progress.costTotal - $1.progress.costDone })")])
        family("disk_used_ratio", "gauge", "Used part of the fullest disk.", [("", "\(try await disk.used())")])
        let counters = counters.withLock { $0 }
        family("claims_waiting", "gauge", "Claims that wait for work.", [("", "\(counters.claimsWaiting)")])
        for counter in counters.all {
            family(counter.name, "counter", counter.help, [("", "\(counter.value)")])
        }
        return text
    }
}
