import QuernFormats
import QuernJobs
import QuernStore

/// Reads an artifact file again from end to end, holds every byte against what it should be, and hashes the file and
/// its tensors on the way.
struct AssembleCheck {
    /// Bytes of the file whose digest is known.
    struct Region {
        let offset: UInt64
        let count: UInt64
        let digest: Digest
    }

    let work: AssembleWork
    let plan: AssemblePlan
    let header: [Region]
    let file: ArtifactFile
    let context: StageContext

    private static let pieceBytes = 512 << 10

    func run() throws -> AssembleResult {
        let fileDigest = Mutexed<Digest?>(nil)
        let tensorDigests = Mutexed<[Int: Digest]>([:])
        let damagedParts = Mutexed<[Digest]>([])
        let count = work.tensors.count
        let progress = ByteProgress(control: context.control, total: 2 * work.size, done: work.size)
        // The file's own hash cannot be divided; the tensors' hashes are taken beside it.
        try Parallel.forEach(1 + count, threads: context.threads) { [self] index in
            try context.scratch.withScratch { scratch in
                if index == 0 {
                    fileDigest.set(try hashFile(scratch, progress))
                } else {
                    let (digest, damaged) = try hashTensor(index - 1, scratch)
                    tensorDigests.mutate { $0[index - 1] = digest }
                    damagedParts.mutate { $0 += damaged }
                }
            }
        }
        try report(damagedParts.get())
        try context.scratch.withScratch { try checkHeaderAndPadding($0) }
        guard let sha256 = fileDigest.get() else {
            throw QuernError(.internalFault, "the file was not hashed", at: work.file)
        }
        let digests = tensorDigests.get()
        let tensors = try work.tensors.indices.map { index in
            guard let digest = digests[index] else {
                throw QuernError(.internalFault, "a tensor was not hashed", at: work.tensors[index].name)
            }
            let tensor = work.tensors[index]
            return AssembledTensor(
                name: tensor.name, shape: tensor.shape, type: tensor.type, weights: tensor.weights, bytes: tensor.bytes,
                sha256: digest, error: plan.error(of: index))
        }
        return AssembleResult(file: work.file, size: work.size, sha256: sha256, tensors: tensors)
    }

    private func hashFile(_ scratch: Scratch, _ progress: ByteProgress) throws -> Digest {
        var hasher = SHA256Hasher()
        try read(0, work.size, scratch) { piece in
            hasher.update(piece)
            progress.advance(UInt64(piece.count))
        }
        return hasher.finish()
    }

    /// Says where the fault lies with parts that do not read back as they should.
    /// - Throws: `LostBlobs` where making them again mends it.
    private func report(_ damaged: [Digest]) throws {
        guard let first = damaged.first else { return }
        guard context.files?.open == nil else {
            throw LostBlobs(
                digests: damaged, reason: "\(file.destination): \(damaged.count) of its parts are not what was encoded")
        }
        // Copied unchecked: most likely the stored blobs are at fault.
        var lost: [Digest] = []
        for digest in damaged {
            do { try context.blobs.check(digest, context.control) } catch let error as LostBlobs {
                lost += error.digests
            }
        }
        guard lost.isEmpty else { throw LostBlobs(digests: lost, reason: "\(lost.count) stored parts are damaged") }
        throw self.damaged("part \(first)")
    }

    /// The digest of a tensor, whose parts are held against theirs.
    /// - Returns: also the digests of those that do not match.
    private func hashTensor(_ index: Int, _ scratch: Scratch) throws -> (Digest, damaged: [Digest]) {
        let pieces = plan.pieces[plan.tensors[index]]
        let isPlaced = context.files?.open != nil
        var damaged: [Digest] = []
        // A tensor of one stored part has its digest.
        var whole = pieces.count == 1 && !isPlaced ? nil : SHA256Hasher()
        let liesBeside = pieces.contains { $0.lines != nil }
        for piece in pieces {
            var namer = PartNamer(isPlaced: isPlaced)
            let place = FilePlace(file: file, offset: piece.offset, lines: piece.lines)
            try read(place, piece.part.bytes, scratch) { bytes in
                namer.update(bytes)
                if !liesBeside { whole?.update(bytes) }
            }
            if namer.finish() != piece.part.digest { damaged.append(piece.part.digest) }
        }
        if liesBeside, whole != nil {
            try read(work.tensors[index].offset, work.tensors[index].bytes, scratch) { whole?.update($0) }
        }
        return (whole?.finish() ?? pieces.first?.part.digest ?? SHA256Hasher().finish(), damaged)
    }

    private func checkHeaderAndPadding(_ scratch: Scratch) throws {
        for region in header {
            var hasher = SHA256Hasher()
            try read(region.offset, region.count, scratch) { hasher.update($0) }
            guard hasher.finish() == region.digest else { throw damaged("the header at offset \(region.offset)") }
        }
        var end = header.last.map { $0.offset + $0.count } ?? 0
        for tensor in work.tensors {
            try checkZero(end, tensor.offset, scratch)
            end = tensor.offset + tensor.bytes
        }
        try checkZero(end, work.size, scratch)
    }

    private func checkZero(_ start: UInt64, _ end: UInt64, _ scratch: Scratch) throws {
        try read(start, end - start, scratch) { padding in
            guard padding.allSatisfy({ $0 == 0 }) else { throw damaged("the padding at offset \(start)") }
        }
    }

    private func damaged(_ what: String) -> QuernError {
        QuernError(
            .io, "\(what) does not read back as it was written", at: file.destination,
            remedy: "Check the disk and the memory of this machine")
    }

    private func read(
        _ offset: UInt64, _ count: UInt64, _ scratch: Scratch, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        try read(FilePlace(file: file, offset: offset, lines: nil), count, scratch, body)
    }

    private func read(
        _ place: FilePlace, _ count: UInt64, _ scratch: Scratch, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let buffer = try scratch.source.bytes(Self.pieceBytes)
        var done: UInt64 = 0
        while done < count {
            try context.control.check()
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(UInt64(buffer.count), count - done))])
            try place.read(at: done, into: piece)
            try body(UnsafeRawBufferPointer(piece))
            done += UInt64(piece.count)
        }
    }
}
