import QuernPlanning
import Synchronization

/// The Gram matrices of all inputs of a model while they are collected.
final class GramCollector: Sendable {
    private struct Key: Hashable {
        let input: Int
        let matrix: Int
    }

    private struct State {
        /// Those that have had rows.
        var accumulators: [Key: GramAccumulator] = [:]
    }

    private let layouts: [GramLayout]
    private let workspaces = WorkspacePool()
    private let buffers = BufferPool()
    private let state = Mutex(State())

    /// - Parameter layouts: of each input.
    init(layouts: [GramLayout]) { self.layouts = layouts }

    /// Once for each input, matrix and chunk, from any thread.
    /// - Parameter rows: [n, channels]; may be none.
    func add(_ rows: UnsafeBufferPointer<Float>, input: Int, matrix: Int, chunk: Int) {
        let accumulator = state.withLock { state in
            let key = Key(input: input, matrix: matrix)
            if let known = state.accumulators[key] { return known }
            let made = GramAccumulator(layout: layouts[input], buffers: buffers)
            state.accumulators[key] = made
            return made
        }
        workspaces.withWorkspace { accumulator.add(rows, chunk: chunk, $0) }
    }

    /// The matrices of an input, once; they are forgotten here.
    func finish(input: Int, matrices: Int) -> GramMatrices {
        let layout = layouts[input]
        var values: [Double] = []
        values.reserveCapacity(matrices * layout.values)
        for matrix in 0..<matrices {
            let accumulator = state.withLock { $0.accumulators.removeValue(forKey: Key(input: input, matrix: matrix)) }
            if let accumulator {
                workspaces.withWorkspace { accumulator.finish($0, into: &values) }
            } else {
                values += repeatElement(0, count: layout.values)
            }
        }
        return GramMatrices(layout: layout, values: values)
    }
}
