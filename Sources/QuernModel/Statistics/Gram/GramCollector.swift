import QuernPlanning
import Synchronization

/// The Gram matrices of all inputs of a model while they are collected, where the rows are computed.
final class GramCollector: Sendable {
    private struct Key: Hashable {
        let input: Int
        let matrix: Int
    }

    private struct State {
        /// Those that have had rows.
        var sums: [Key: any GramSums] = [:]
        /// Chunks that came to each.
        var chunks: [Key: Int] = [:]
        /// Values of those to which all chunks came.
        var done: [Key: [Double]] = [:]
    }

    private let layouts: [GramLayout]
    private let chunks: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - layouts: of each input.
    ///   - chunks: how many there will be at the most.
    init(layouts: [GramLayout], chunks: Int) {
        self.layouts = layouts
        self.chunks = chunks
    }

    /// Once for each input, matrix and chunk, from any thread.
    func add(_ rows: ObservedRows, input: Int, matrix: Int, chunk: Int) throws {
        let key = Key(input: input, matrix: matrix)
        let sums = try state.withLock { state in
            if let known = state.sums[key] { return known }
            let made = try rows.lane.makeGram(layouts[input])
            state.sums[key] = made
            return made
        }
        try sums.add(rows, chunk: chunk)
        let isDone = state.withLock { state in
            state.chunks[key, default: 0] += 1
            return state.chunks[key] == chunks
        }
        guard isDone else { return }
        // Layers that are behind are not to take a card's memory.
        let values = try sums.finish()
        state.withLock { state in
            state.sums[key] = nil
            state.done[key] = values
        }
    }

    /// The matrices of an input, once; they are forgotten here.
    func finish(input: Int, matrices: Int) throws -> GramMatrices {
        let layout = layouts[input]
        var values: [Double] = []
        values.reserveCapacity(matrices * layout.values)
        for matrix in 0..<matrices {
            let key = Key(input: input, matrix: matrix)
            let (sums, done) = state.withLock { ($0.sums.removeValue(forKey: key), $0.done.removeValue(forKey: key)) }
            values += try done ?? sums?.finish() ?? [Double](repeating: 0, count: layout.values)
        }
        return GramMatrices(layout: layout, values: values)
    }
}
