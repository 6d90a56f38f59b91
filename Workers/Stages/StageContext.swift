import QuernFormats
import QuernJobs
import QuernStore

/// What a stage has at hand. Stages block and compute; they run on the worker's own threads.
struct StageContext: Sendable {
    let blobs: BlobAccess
    let control: WorkControl
    let scratch: ScratchPool
    /// What encodes blocks, and computes forward passes.
    let engine: any ComputeEngine
    /// Asks the coordinator for parts known under input hashes; nil where parts are not shared between jobs.
    let lookUp: (@Sendable ([Digest]) throws -> [Digest: Part])?
    /// Where the artifacts of the item's job go; nil where this worker makes none.
    let files: ArtifactFiles?
    /// Results of the items this one depends on, by ordinal.
    let inputs: [Int: WorkResult]
    /// Threads a stage may use for itself.
    let threads: Int

    /// What a stage throws where an item that it depends on has no result of the kind it needs.
    /// - Parameter place: where the result is needed.
    static func missing(_ ordinal: Int, at place: String) -> QuernError {
        QuernError(.invalidInput, "the result of item \(ordinal) is missing", at: place)
    }

    /// - Throws: `missing`.
    func merged(_ ordinal: Int, at place: String) throws -> MergeResult {
        guard case .merge(let result)? = inputs[ordinal] else { throw Self.missing(ordinal, at: place) }
        return result
    }
}

/// The artifacts of a job, as a worker that makes them has them.
struct ArtifactFiles: Sendable {
    let place: any ArtifactPlace
    /// Where parts are written at once; nil where assembling brings them together.
    let open: OpenArtifacts?
}

/// What a stage leaves to do when its computing is over: waiting for disks and networks, which another thread does
/// while this one goes on with the next item.
struct StageOutcome: Sendable {
    /// Returns when the results are safe.
    let commit: @Sendable () throws -> Completion
}

extension WorkPayload {
    /// Runs the item's stage.
    func run(in context: StageContext) throws -> StageOutcome {
        switch self {
        case .digest(let work): try DigestStage(work: work, context: context).run()
        case .tokenize(let work): try TokenizeStage(work: work, context: context).run()
        case .calibrate(let work): try CalibrateStage(work: work, context: context).run()
        case .merge(let work): try MergeStage(work: work, context: context).run()
        case .scan(let work): try ScanStage(work: work, context: context).run()
        case .balance(let work): try BalanceStage(work: work, context: context).run()
        case .factor(let work): try FactorStage(work: work, context: context).run()
        case .measure(let work): try MeasureStage(work: work, context: context).run()
        case .collect(let work): try CollectStage(work: work, context: context).run()
        case .encode(let work): try EncodeStage(work: work, context: context).run()
        case .assemble(let work): try AssembleStage(work: work, context: context).run()
        case .evaluate(let work): try EvaluateStage(work: work, context: context).run()
        case .publish(let work): try PublishStage(work: work, context: context).run()
        }
    }

    /// How many threads an item can keep busy that computes on a model, which goes through its chunks side by side; nil
    /// for others.
    var parallelism: Int? {
        switch self {
        case .calibrate(let work): max(1, work.maximumChunks)
        case .evaluate(let work): max(1, work.maximumChunks)
        case .measure(let work): max(1, work.maximumChunks)
        case .digest, .tokenize, .merge, .scan, .balance, .factor, .collect, .encode, .assemble, .publish: nil
        }
    }

    /// Bytes of memory the item may come to hold.
    /// - Parameters:
    ///   - streaming: whether parts pass through to the store piece by piece.
    ///   - objects: where artifacts are uploaded to; nil where they are written to a disk.
    ///   - engine: what encodes blocks.
    func peakMemory(streaming: Bool, objects: (any ArtifactObjects)?, engine: any EncodingEngine) -> Int64 {
        let buffers: Int64 = 8 << 20
        switch self {
        case .digest, .collect: return buffers
        case .publish(let work): return buffers + (work.evaluation?.memory ?? 0)
        case .tokenize(let work): return work.memory
        case .calibrate(let work): return work.memory
        case .evaluate(let work): return work.memory
        case .merge(let work): return work.memory
        case .scan(let work): return work.memory
        case .balance(let work): return work.memory
        case .factor(let work): return work.memory
        case .measure(let work): return work.memory
        case .assemble(let work):
            let blob = streaming ? 0 : Int64(maximumBlobBytes)
            return buffers + blob + (objects.map { AssembleUpload.memory(work, to: $0) } ?? 0)
        case .encode(let work):
            let buffers = buffers + engine.memory
            guard !streaming else { return buffers }
            return work.spans.reduce(buffers) { sum, span in
                span.outputs.reduce(sum) { sum, output in
                    sum + Int64(output.encoding.bytes(rows: span.rows, columns: span.columns) ?? 0)
                }
            }
        }
    }
}
