import QuernFormats
import QuernJobs
import QuernKernels
import QuernStore

/// Finds the largest magnitudes that a scale of several layers hangs on.
struct ScanStage {
    let work: ScanWork
    let context: StageContext

    private static let pieceElements = 128 << 10

    func run() throws -> StageOutcome {
        let files = SourceFiles(work.files)
        let control = context.control
        let readers = try work.spans.map { try $0.reader(of: files, in: context) }
        let total = UInt64(readers.reduce(0) { $0 + $1.count })
        var done: UInt64 = 0
        var largest: Float = 0
        try context.scratch.withScratch { scratch in
            for (span, reader) in zip(work.spans, readers) {
                let rowBytes = reader.count / span.rows
                let step = max(1, Self.pieceElements / span.columns)
                for first in stride(from: 0, to: span.rows, by: step) {
                    try control.check()
                    let rows = min(step, span.rows - first)
                    let bytes = try scratch.source.bytes(rows * rowBytes)
                    try reader.read(at: first * rowBytes, into: bytes)
                    let values = try scratch.values.floats(rows * span.columns)
                    Kernels.decode(
                        span.sourceType, bytes: UnsafeRawBufferPointer(bytes), adding: span.addend, into: values)
                    let magnitude = Kernels.largestMagnitude(of: UnsafeBufferPointer(values))
                    guard magnitude.isFinite else {
                        throw QuernError(
                            .invalidInput, "it holds values that are not finite", at: span.tensor,
                            remedy: "The checkpoint is damaged there: download or export it again")
                    }
                    largest = max(largest, magnitude)
                    done += UInt64(rows * rowBytes)
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
