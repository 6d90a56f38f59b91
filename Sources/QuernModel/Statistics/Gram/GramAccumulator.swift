import QuernPlanning
import Synchronization

/// XᵀX of the rows that one matrix reads: products in single precision, chunk by chunk, added up in double precision.
///
/// Each strip takes the chunks in their order, so that sums do not depend on which thread brings which chunk, or when.
/// Whoever brings rows works on any strips that can go on, also with rows that others brought.
final class GramAccumulator: GramSums {
    private struct State {
        /// Rows by chunk, until all strips have them; nil for a chunk without any.
        var waiting: [Int: GramRows?] = [:]
        /// For each strip the chunk that comes next.
        var next: [Int]
        var isBusy: [Bool]

        /// A strip that can go on.
        mutating func take() -> (strip: Int, rows: GramRows?)? {
            for strip in next.indices where !isBusy[strip] {
                guard let rows = waiting[next[strip]] else { continue }
                isBusy[strip] = true
                return (strip, rows)
            }
            return nil
        }

        mutating func finish(_ strip: Int) {
            let chunk = next[strip]
            next[strip] += 1
            isBusy[strip] = false
            if next.allSatisfy({ $0 > chunk }) { waiting[chunk] = nil }
        }

        /// Chunks that are not there will not come any more.
        mutating func closeGaps() {
            guard let first = next.min(), let last = waiting.keys.max(), first < last else { return }
            for chunk in first..<last where waiting[chunk] == nil { waiting.updateValue(nil, forKey: chunk) }
        }
    }

    private let channels: Int
    private let strips: [GramStrip]
    private let buffers: BufferPool
    private let workspaces: WorkspacePool
    private let state: Mutex<State>

    /// - Parameter buffers: of rows.
    init(layout: GramLayout, buffers: BufferPool, workspaces: WorkspacePool) {
        self.buffers = buffers
        self.workspaces = workspaces
        channels = layout.channels
        var panels: [Range<Int>] = []
        var ends: [Int] = []
        for block in layout.blocks {
            for first in stride(from: block.lowerBound, to: block.upperBound, by: GramRows.panelColumns) {
                panels.append(first..<min(block.upperBound, first + GramRows.panelColumns))
                ends.append(block.upperBound)
            }
        }
        strips = panels.indices.map { GramStrip(own: $0, all: panels, end: ends[$0]) }
        state = Mutex(
            State(next: panels.map { _ in 0 }, isBusy: panels.map { _ in false }))
    }

    func add(_ rows: ObservedRows, chunk: Int) throws {
        let made = try rows.withValues { values in
            values.isEmpty ? nil : GramRows(values, channels: channels, buffers: buffers)
        }
        state.withLock { _ = $0.waiting.updateValue(made, forKey: chunk) }
        work()
    }

    func finish() -> [Double] {
        state.withLock { $0.closeGaps() }
        work()
        return strips.flatMap(\.values)
    }

    private func work() {
        workspaces.withWorkspace { workspace in
            while let (strip, rows) = state.withLock({ $0.take() }) {
                defer { state.withLock { $0.finish(strip) } }
                if let rows { strips[strip].add(rows, workspace) }
            }
        }
    }
}
