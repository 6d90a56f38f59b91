import QuernFormats
import QuernJobs
import QuernStore
import Synchronization

/// Writes one artifact file: header and, where they are not there already, parts at their places under a partial name;
/// then to the disk, and read again and held against the digests of all parts; only then does it get its name.
struct AssembleStage {
    let work: AssembleWork
    let context: StageContext

    func run() throws -> StageOutcome {
        guard let files = context.files else {
            throw QuernError(.unsupported, "this worker has no place for artifacts", at: work.file)
        }
        let plan = try AssemblePlan(work, inputs: context.inputs)
        if let objects = files.place as? any ArtifactObjects {
            return try AssembleUpload(work: work, plan: plan, context: context, objects: objects).run()
        }
        let file: ArtifactFile
        if let open = files.open {
            file = try open.file(work.file, size: work.size)
        } else if let folder = files.place as? ArtifactFolder {
            folder.removePartials()
            file = try folder.begin(work.file, size: work.size)
            try writeParts(plan, file)
        } else {
            throw QuernError(.internalFault, "neither a folder nor objects", at: files.place.path)
        }
        let header = try AssembleHeader(work: work, context: context).read { try file.write(at: $0, $1) }
        // The disk takes its time; reading again meanwhile sees the same bytes.
        let synced = Parallel.begin { try file.sync() }
        let checker = AssembleCheck(work: work, plan: plan, header: header, file: file, context: context)
        let result = Result { try checker.run() }
        return StageOutcome {
            try synced()
            let result = try result.get()
            if let open = files.open { try open.publish(work.file) } else { try file.publish() }
            return Completion(result: .assemble(result))
        }
    }

    /// Writes all parts. Those that are lost are gathered, so that all are made again at once.
    private func writeParts(_ plan: AssemblePlan, _ file: ArtifactFile) throws {
        let lost = Mutexed<[LostBlobs]>([])
        let progress = ByteProgress(control: context.control, total: 2 * work.size)
        // Without a store on this machine every thread would hold a whole blob.
        let threads = context.blobs.streams ? context.threads : 1
        try Parallel.forEach(plan.pieces.count, threads: threads) { [context] index in
            do {
                try Self.write(plan.pieces[index], file, context, progress)
            } catch let error as LostBlobs {
                lost.mutate { $0.append(error) }
            }
        }
        let all = lost.get()
        if let first = all.first {
            throw LostBlobs(digests: all.flatMap(\.digests), reason: first.reason)
        }
    }

    private static func write(
        _ piece: AssemblePlan.Piece, _ file: ArtifactFile, _ context: StageContext, _ progress: ByteProgress
    ) throws {
        let place = FilePlace(file: file, offset: piece.offset, lines: piece.lines)
        var done: UInt64 = 0
        // Unchecked: the file is held against the digests when all is written.
        try context.blobs.stream(piece.part.digest, checked: false, context.control) { bytes in
            try context.control.check()
            let wanted = bytes.prefix(Int(min(UInt64(bytes.count), piece.part.bytes - done)))
            try place.write(at: done, UnsafeRawBufferPointer(rebasing: wanted))
            done += UInt64(wanted.count)
            progress.advance(UInt64(wanted.count))
        }
    }
}

/// Progress that several threads add to.
final class ByteProgress: Sendable {
    private let control: WorkControl
    private let total: UInt64
    private let done: Atomic<UInt64>

    init(control: WorkControl, total: UInt64, done: UInt64 = 0) {
        self.control = control
        self.total = total
        self.done = Atomic(done)
    }

    func advance(_ count: UInt64) {
        control.report(done.wrappingAdd(count, ordering: .relaxed).newValue, of: total)
    }
}
