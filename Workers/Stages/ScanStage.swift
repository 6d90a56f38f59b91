import QuernFormats
import QuernJobs
import QuernKernels
import QuernStore

/// Looks at the magnitudes of all weights that a scale hangs on.
struct ScanStage {
    let work: ScanWork
    let context: StageContext

    func run() throws -> StageOutcome {
        let files = SourceFiles(work.files)
        let control = context.control
        let readers = try work.spans.map { try $0.reader(of: files, in: context) }
        let total = UInt64(readers.reduce(0) { $0 + $1.count })
        var done: UInt64 = 0
        var largest: Float = 0
        // Summed group by group in the order of rows: whoever does it gets the same.
        var groups = (sum: 0.0, count: 0)
        try context.scratch.withScratch { scratch in
            for (span, reader) in zip(work.spans, readers) {
                try reader.decode(0..<span.rows, of: span, scratch) { values in
                    try control.check()
                    let length = max(work.group ?? values.count, 1)
                    for first in stride(from: 0, to: values.count, by: length) {
                        let group = values[first..<min(first + length, values.count)]
                        let magnitude = Kernels.largestMagnitude(of: UnsafeBufferPointer(rebasing: group))
                        largest = max(largest, magnitude)
                        groups.sum += Double(magnitude)
                        groups.count += 1
                    }
                    done += UInt64(values.count / span.columns * (reader.count / span.rows))
                    control.report(done, of: total)
                }
            }
        }
        try files.checkUnchanged()
        let input = try work.input.map { reference in
            try reference.statistics(in: context).maxima.max() ?? 0
        }
        let mean = work.group.map { _ in Float(groups.sum / Double(max(groups.count, 1))) }
        let result = ScanResult(weights: largest, groupMean: mean, input: input)
        return StageOutcome { Completion(result: .scan(result)) }
    }
}
