import ArgumentParser

/// Help for jobs that collect statistics and make no artifacts.
enum StatisticsRunHelp: LocalRunHelp {
    static let workers: ArgumentHelp = "Threads; all cores otherwise."
    static let memory: ArgumentHelp = "Memory for work in progress: 4GB."
    static let state: ArgumentHelp = "Folder for state and statistics; kept, and used again by later jobs."
}

/// Carries what a run made out of its `collect`.
actor Handover<Value: Sendable> {
    private(set) var value: Value?
    func set(_ value: Value) { self.value = value }
}
