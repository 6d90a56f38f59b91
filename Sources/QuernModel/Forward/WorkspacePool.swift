import Synchronization

/// Workspaces that go from thread to thread, one at a time.
final class WorkspacePool: Sendable {
    private struct Handed: @unchecked Sendable { let workspace: Workspace }
    private let free = Mutex<[Handed]>([])

    /// Calls `body` with a workspace that nobody else uses meanwhile.
    func withWorkspace<Value>(_ body: (Workspace) throws -> Value) rethrows -> Value {
        let handed = free.withLock { $0.popLast() } ?? Handed(workspace: Workspace())
        defer { free.withLock { $0.append(handed) } }
        return try body(handed.workspace)
    }
}
