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
            throw QuernError(.unsupported, "this worker has no folder for artifacts", at: work.file)
        }
        let plan = try AssemblePlan(work, inputs: context.inputs)
        let file: ArtifactFile
        if let open = files.open {
            file = try open.file(work.file, size: work.size)
        } else {
            files.folder.removePartials()
            file = try files.folder.begin(work.file, size: work.size)
            try writeParts(plan, file)
        }
        let header = try writeHeader(file)
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

    /// - Returns: the header's blobs with their places.
    private func writeHeader(_ file: ArtifactFile) throws -> [AssembleCheck.Region] {
        let limit = work.tensors.first?.offset ?? work.size
        var offset: UInt64 = 0
        var regions: [AssembleCheck.Region] = []
        for digest in work.header {
            let start = offset
            guard work.patches.isEmpty else {
                var bytes = try context.blobs.get(digest, context.control)
                guard UInt64(bytes.count) <= limit - offset else { throw headerTooLong }
                try patch(&bytes, at: start)
                try bytes.withUnsafeBytes { try file.write(at: start, $0) }
                offset += UInt64(bytes.count)
                regions.append(
                    AssembleCheck.Region(offset: start, count: UInt64(bytes.count), digest: Digest(of: bytes)))
                continue
            }
            try context.blobs.stream(digest, checked: true, context.control) { piece in
                guard UInt64(piece.count) <= limit - offset else { throw headerTooLong }
                try file.write(at: offset, piece)
                offset += UInt64(piece.count)
            }
            regions.append(AssembleCheck.Region(offset: start, count: offset - start, digest: digest))
        }
        return regions
    }

    private var headerTooLong: QuernError {
        QuernError(.invalidInput, "the header reaches into the first tensor", at: work.file)
    }

    /// Fills in what other items found out, as far as it lies in these bytes of the header.
    private func patch(_ bytes: inout [UInt8], at start: UInt64) throws {
        for patch in work.patches {
            let value = UInt32(clamping: try context.merged(patch.item, at: work.file).chunks)
            for place in 0..<4 {
                let (offset, below) = (patch.offset &+ UInt64(place)).subtractingReportingOverflow(start)
                guard !below, offset < UInt64(bytes.count) else { continue }
                bytes[Int(offset)] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(place)))
            }
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
