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
        let count = work.tensors.count
        let progress = ByteProgress(control: context.control, total: 2 * work.size, done: work.size)
        // The file's own hash cannot be divided; the tensors' hashes are taken beside it.
        try Parallel.forEach(1 + count, threads: context.threads) { [self] index in
            try context.scratch.withScratch { scratch in
                if index == 0 {
                    fileDigest.set(try hashFile(scratch, progress))
                } else {
                    let digest = try hashTensor(index - 1, scratch)
                    tensorDigests.mutate { $0[index - 1] = digest }
                }
            }
        }
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
                name: tensor.name, shape: tensor.shape, type: tensor.type, bytes: tensor.bytes, sha256: digest,
                error: plan.error(of: index))
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

    /// The digest of a tensor, whose parts are held against theirs.
    private func hashTensor(_ index: Int, _ scratch: Scratch) throws -> Digest {
        let pieces = plan.pieces[plan.tensors[index]]
        // A tensor of one part has its digest.
        var whole = pieces.count == 1 ? nil : SHA256Hasher()
        for piece in pieces {
            var hasher = SHA256Hasher()
            try read(piece.offset, piece.part.bytes, scratch) { bytes in
                hasher.update(bytes)
                whole?.update(bytes)
            }
            try hold(hasher.finish(), piece.part.digest, at: piece.offset)
        }
        return whole?.finish() ?? pieces.first?.part.digest ?? SHA256Hasher().finish()
    }

    private func checkHeaderAndPadding(_ scratch: Scratch) throws {
        for region in header {
            var hasher = SHA256Hasher()
            try read(region.offset, region.count, scratch) { hasher.update($0) }
            try hold(hasher.finish(), region.digest, at: region.offset)
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
            guard padding.allSatisfy({ $0 == 0 }) else { throw damaged(at: start) }
        }
    }

    private func hold(_ found: Digest, _ expected: Digest, at offset: UInt64) throws {
        guard found == expected else { throw damaged(at: offset) }
    }

    private func damaged(at offset: UInt64) -> QuernError {
        QuernError(
            .io, "what was written at offset \(offset) does not read back as it was", at: file.destination,
            remedy: "Check the disk and the memory of this machine")
    }

    private func read(
        _ offset: UInt64, _ count: UInt64, _ scratch: Scratch, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let buffer = try scratch.source.bytes(Self.pieceBytes)
        var done: UInt64 = 0
        while done < count {
            try context.control.check()
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(UInt64(buffer.count), count - done))])
            try file.read(at: offset + done, into: piece)
            try body(UnsafeRawBufferPointer(piece))
            done += UInt64(piece.count)
        }
    }
}
