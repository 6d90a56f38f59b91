import QuernFormats
import QuernPlanning
import Synchronization

/// Sums up what linear layers read, for a group of chunks.
///
/// Rows of a chunk are summed in their order as they come, on any thread; chunks are added in their order once all have
/// left a layer behind. So the sums do not depend on how many threads there were, and no more than one layer's sums
/// are held for each chunk. Gram matrices, which are larger than the rows they are made of, take the chunks one by one.
public final class StatisticsCollector: ActivationObserver {
    fileprivate struct Key: Hashable {
        let input: Int
        let matrix: Int
    }

    fileprivate struct State {
        var inputs: [InputStatistics]
        /// Sums that wait for other chunks, by layer.
        var waiting: [Int: [Key: [Int: RowMoments]]] = [:]
        /// For each chunk the layer it is in.
        var reached: [Int]
        /// Layers below are added up.
        var settled = 0
    }

    /// Index among the inputs, by name.
    private let indices: [String: Int]
    private let state: Mutex<State>
    private let gram: GramCollector?

    /// - Parameters:
    ///   - inputs: all of the model.
    ///   - isTensor: whether the model has a tensor; inputs that none of its tensors reads are left out.
    ///   - chunks: how many there will be, counted from 0.
    ///   - processOutput: whether the head counts too.
    ///   - gram: columns of the widest block of a Gram matrix; nil: no such matrices are kept.
    package init(
        inputs: [LinearInput], isTensor: (String) -> Bool, chunks: Int, processOutput: Bool, gram: Int? = nil
    ) {
        var statistics: [InputStatistics] = []
        var indices: [String: Int] = [:]
        for input in inputs.calibrated(
            processOutput: processOutput, keepsGram: gram != nil, isTensor: isTensor)
        {
            guard indices.updateValue(statistics.count, forKey: input.name) == nil else { continue }
            statistics.append(
                InputStatistics(
                    name: input.name, tensors: input.tensors.filter(isTensor).sorted(), channels: input.channels,
                    matrices: input.matrices))
        }
        self.indices = indices
        self.gram = gram.map { gram in
            GramCollector(layouts: statistics.map { GramLayout(channels: $0.channels, widest: gram) }, chunks: chunks)
        }
        state = Mutex(State(inputs: statistics, reached: Array(repeating: 0, count: chunks)))
    }

    public func wants(_ input: LinearInput) -> Bool { indices[input.name] != nil }

    public func observe(_ input: LinearInput, matrix: Int, rows: ObservedRows, chunk: Int) throws {
        guard let index = indices[input.name] else { return }
        try gram?.add(rows, input: index, matrix: matrix, chunk: chunk)
        guard rows.count > 0 else { return }
        let sums = try rows.moments()
        // The head comes after all layers.
        let layer = input.layer ?? Int.max
        state.withLock { state in
            state.waiting[layer, default: [:]][Key(input: index, matrix: matrix), default: [:]][chunk] = sums
            guard state.reached[chunk] < layer else { return }
            state.reached[chunk] = layer
            let left = state.reached.min() ?? 0
            while state.settled < left, let next = state.waiting.keys.min(), next < left {
                state.settle(next)
                state.settled = next + 1
            }
        }
    }

    /// The sums over all chunks; to be called once.
    /// - Throws: what fails where the sums are.
    public func finish() throws -> [InputStatistics] {
        var inputs = state.withLock { state in
            for layer in state.waiting.keys.sorted() { state.settle(layer) }
            return state.inputs
        }
        guard let gram else { return inputs }
        for index in inputs.indices {
            inputs[index].gram = try gram.finish(input: index, matrices: inputs[index].matrices)
        }
        return inputs
    }
}

extension StatisticsCollector.State {
    /// Adds the sums of a layer, chunk by chunk.
    fileprivate mutating func settle(_ layer: Int) {
        for (key, chunks) in waiting.removeValue(forKey: layer) ?? [:] {
            for (_, sums) in chunks.sorted(by: { $0.key < $1.key }) {
                inputs[key.input].counts[key.matrix] += Int64(sums.rows)
                let channels = inputs[key.input].channels
                for channel in 0..<channels {
                    let place = key.matrix * channels + channel
                    inputs[key.input].squares[place] += sums.squares[channel]
                    inputs[key.input].magnitudes[place] += sums.magnitudes[channel]
                    inputs[key.input].maxima[place] = max(inputs[key.input].maxima[place], sums.maxima[channel])
                }
            }
        }
    }
}
