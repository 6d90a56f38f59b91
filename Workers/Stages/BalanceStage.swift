import QuernFormats
import QuernJobs
import QuernKernels
import QuernModel
import QuernStore

/// Finds by what the channels of an input are divided so that the weights that read it, or it itself, round better.
struct BalanceStage {
    let work: BalanceWork
    let context: StageContext

    /// Powers that are tried, beside leaving everything as it is.
    private static let steps = 20

    func run() throws -> StageOutcome {
        let files = SourceFiles(work.files)
        let statistics = try work.input.statistics(in: context)
        guard statistics.magnitudes.count == statistics.channels,
            work.readers.allSatisfy({ $0.span.columns == statistics.channels })
        else {
            throw QuernError(.invalidInput, "the statistics are of another shape", at: work.input.tensor)
        }
        var vector = BalanceVector(values: Array(repeating: 1, count: statistics.channels))
        try context.scratch.withScratch { scratch in
            // Of what was never seen nothing is known.
            if statistics.counts.first ?? 0 > 0 {
                vector =
                    switch work.rule {
                    case .search: try search(statistics, files, scratch)
                    case .magnitudes: try smoothing(statistics, files, scratch)
                    }
            }
            if let norm = work.norm { try settle(&vector, norm, files, scratch) }
        }
        try files.checkUnchanged()
        let pieces = try context.blobs.pieces(of: vector.bytes)
        guard let digest = pieces.digests.first, pieces.digests.count == 1 else {
            throw QuernError(.unsupported, "\(statistics.channels) channels are too many", at: work.input.tensor)
        }
        return StageOutcome { [context] in
            try context.blobs.commit(pieces.writers, context.control)
            return Completion(result: .balance(BalanceResult(vector: digest)))
        }
    }

    /// Of all powers that with the least loss, the first where there are several.
    private func search(
        _ statistics: InputStatistics, _ files: SourceFiles, _ scratch: Scratch
    ) throws -> BalanceVector {
        guard let matrices = statistics.gram else {
            throw QuernError(.invalidInput, "the statistics have no Gram matrix of it", at: work.input.tensor)
        }
        let count = Double(statistics.counts.first ?? 1)
        let gram = matrices.layout.blocks.enumerated().map { index, columns in
            (columns: columns, values: matrices.square(block: index).map { Float($0 / count) })
        }
        let samples = try work.readers.map { reader in
            try context.control.check()
            return try RowSample(reader, from: try reader.span.reader(of: files, in: context), scratch)
        }
        var shares = [Double](repeating: 0, count: statistics.channels)
        for sample in samples { sample.addShares(to: &shares) }
        let rows = samples.reduce(0) { $0 + $1.values.count / $1.columns }
        let weights = shares.map { $0 / Double(max(rows, 1)) }
        let inputs = statistics.magnitudes.map { $0 / count }
        let importance = statistics.squares.map { Float($0 / count) }

        var best = BalanceVector(values: Array(repeating: 1, count: statistics.channels))
        var least = Double.infinity
        for step in -1..<Self.steps {
            let candidate =
                step < 0
                ? best : .power(Double(step) / Double(Self.steps), inputs: inputs, weights: weights)
            var loss = 0.0
            for sample in samples {
                try context.control.check()
                loss += try sample.loss(candidate.values, importance: importance, gram: gram, scratch)
            }
            if loss < least { (best, least) = (candidate, loss) }
            context.control.report(UInt64(step + 2), of: UInt64(Self.steps + 1))
        }
        return best
    }

    private func smoothing(
        _ statistics: InputStatistics, _ files: SourceFiles, _ scratch: Scratch
    ) throws -> BalanceVector {
        var largest = [Float](repeating: 0, count: statistics.channels)
        for reader in work.readers {
            let span = reader.span
            try span.reader(of: files, in: context).decode(0..<span.rows, of: span, scratch) { values in
                try context.control.check()
                for row in stride(from: 0, to: values.count, by: span.columns) {
                    for column in 0..<span.columns {
                        largest[column] = max(largest[column], values[row + column].magnitude)
                    }
                }
            }
        }
        return .smoothing(inputs: statistics.maxima, weights: largest)
    }

    /// Settles the vector with what a norm's factors are stored as.
    private func settle(
        _ vector: inout BalanceVector, _ norm: BalanceWork.Norm, _ files: SourceFiles, _ scratch: Scratch
    ) throws {
        guard norm.span.columns * norm.span.rows == vector.values.count else {
            throw QuernError(.invalidInput, "it has not as many values as there are channels", at: norm.span.tensor)
        }
        var factors: [Float] = []
        try norm.span.reader(of: files, in: context).decode(0..<norm.span.rows, of: norm.span, scratch) {
            factors.append(contentsOf: $0)
        }
        guard norm.type.blockSize == 1, EncodableTypes.contains(norm.type) else {
            throw QuernError(.unsupported, "no norm is stored in \(norm.type)", at: norm.span.tensor)
        }
        let addend = Double(norm.addend)
        let wanted = zip(factors, vector.values).map { Float((Double($0) + addend) / Double($1) - addend) }
        let encoded = try scratch.encoded.bytes(norm.type.bytes(elements: wanted.count) ?? 0)
        wanted.withUnsafeBufferPointer {
            Kernels.encode(norm.type, rows: $0, columns: wanted.count, importance: nil, into: encoded)
        }
        let stored = try scratch.decoded.floats(wanted.count)
        Kernels.decode(norm.type, bytes: UnsafeRawBufferPointer(encoded), into: stored)
        vector.settle(
            factors: factors.map { Double($0) + addend }, stored: stored.map { Double($0) + addend })
    }
}
