import QuernFormats
import QuernJobs
import QuernKernels
import QuernStore

/// Finds the largest magnitudes that a scale of several layers hangs on.
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
        try context.scratch.withScratch { scratch in
            for (span, reader) in zip(work.spans, readers) {
                try reader.decode(0..<span.rows, of: span, scratch) { values in
                    try control.check()
                    largest = max(largest, Kernels.largestMagnitude(of: values))
                    done += UInt64(values.count / span.columns * (reader.count / span.rows))
                    control.report(done, of: total)
                }
            }
        }
        try files.checkUnchanged()
        let input = try work.input.map { reference in
            try reference.statistics(in: context).maxima.max() ?? 0
        }
        let result = ScanResult(weights: largest, input: input)
        return StageOutcome { Completion(result: .scan(result)) }
    }
}
