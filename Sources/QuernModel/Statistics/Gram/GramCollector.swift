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
        var failure: (any Error)?
    }

    private let layouts: [GramLayout]
    private let engine: MatrixEngine
    private let workspaces = WorkspacePool()
    private let state = Mutex(State())

    /// - Parameter layouts: of each input.
    init(layouts: [GramLayout], engine: MatrixEngine) {
        self.layouts = layouts
        self.engine = engine
    }

    /// Once for each input, matrix and chunk, from any thread. What fails is thrown by `finish`.
    /// - Parameter rows: [n, channels]; may be none.
    func add(_ rows: UnsafeBufferPointer<Float>, input: Int, matrix: Int, chunk: Int) {
        let accumulator = state.withLock { state -> GramAccumulator? in
            guard state.failure == nil else { return nil }
            let key = Key(input: input, matrix: matrix)
            if let known = state.accumulators[key] { return known }
            let made = GramAccumulator(layout: layouts[input], engine: engine)
            state.accumulators[key] = made
            return made
        }
        guard let accumulator else { return }
        do {
            try workspaces.withWorkspace { try accumulator.add(rows, chunk: chunk, $0) }
        } catch {
            state.withLock { if $0.failure == nil { $0.failure = error } }
        }
    }

    /// The matrices of an input, once; they are forgotten here.
    func finish(input: Int, matrices: Int) throws -> GramMatrices {
        if let failure = state.withLock({ $0.failure }) { throw failure }
        let layout = layouts[input]
        var values: [Double] = []
        values.reserveCapacity(matrices * layout.values)
        for matrix in 0..<matrices {
            let accumulator = state.withLock { $0.accumulators.removeValue(forKey: Key(input: input, matrix: matrix)) }
            if let accumulator {
                values += try workspaces.withWorkspace { try accumulator.finish($0) }
            } else {
                values += repeatElement(0, count: layout.values)
            }
        }
        return GramMatrices(layout: layout, values: values)
    }
}
