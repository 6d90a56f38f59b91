import QuernFormats
import QuernJobs
import QuernStore

/// Sends one artifact file to an object store, from its first byte to its last, without a copy of it on this machine:
/// parts of the upload go out while the next blobs are read, and every blob is held against its digest on the way. The
/// finished object is read again and held against what was sent; it is removed where it is not that.
struct AssembleUpload {
    let work: AssembleWork
    let plan: AssemblePlan
    let context: StageContext
    let objects: any ArtifactObjects

    /// Bytes of a tensor whose parts lie beside each other that are brought together at a time.
    private static let regionBytes: UInt64 = 64 << 20
    private static let zeros = [UInt8](repeating: 0, count: 1 << 16)

    /// Bytes of memory it may come to hold: a part that is filled, those on their way, each of them twice, and a region.
    static func memory(_ work: AssembleWork, to objects: any ArtifactObjects) -> Int64 {
        let region = work.tensors.contains { $0.lines != nil } ? min(regionBytes, work.size) : 0
        return Int64(objects.partBytes(work.size)) * Int64(2 * ObjectWriter.partsAtOnce + 1) + Int64(region)
    }

    func run() throws -> StageOutcome {
        // Stores have no uploads of nothing.
        guard work.size > 0 else {
            return StageOutcome {
                try objects.write([], as: work.file)
                let sha256 = SHA256Hasher().finish()
                let tensors = work.tensors.indices.map { tensor($0, sha256) }
                return Completion(
                    result: .assemble(AssembleResult(file: work.file, size: 0, sha256: sha256, tensors: tensors)))
            }
        }
        let upload = try reach { [objects, work] in try await objects.begin(work.file, size: work.size) }
        let progress = ByteProgress(control: context.control, total: 2 * work.size)
        let writer = ObjectWriter(upload: upload, context: context, progress: progress)
        let result: AssembleResult
        let parts: [Digest]
        do {
            let digests = try send(writer)
            let sha256 = try writer.finish()
            parts = try writer.parts()
            result = AssembleResult(
                file: work.file, size: work.size, sha256: sha256,
                tensors: digests.indices.map { tensor($0, digests[$0]) })
        } catch {
            writer.wait()
            abandon(upload)
            throw error
        }
        return StageOutcome {
            do {
                let object = try reach { try await upload.finish() }
                try check(object, parts, partBytes: upload.partBytes, progress)
            } catch {
                abandon(upload)
                throw error
            }
            return Completion(result: .assemble(result))
        }
    }

    private func tensor(_ index: Int, _ sha256: Digest) -> AssembledTensor {
        let tensor = work.tensors[index]
        return AssembledTensor(
            name: tensor.name, shape: tensor.shape, type: tensor.type, weights: tensor.weights, bytes: tensor.bytes,
            sha256: sha256, error: plan.error(of: index))
    }

    /// Waits for the store, also while it is away.
    private func reach<Value: Sendable>(_ call: @escaping @Sendable () async throws -> Value) throws -> Value {
        try blocking { [context, objects] in
            try await context.blobs.retry.call(objects.path, until: context.control.dropped, call)
        }
    }

    private func abandon(_ upload: any ArtifactUpload) {
        _ = try? blocking { await upload.abandon() }
    }

    // MARK: Sending

    /// - Returns: the tensors' digests.
    private func send(_ writer: ObjectWriter) throws -> [Digest] {
        _ = try AssembleHeader(work: work, context: context).read { try writer.append($1) }
        var digests: [Digest] = []
        for (index, tensor) in work.tensors.enumerated() {
            try pad(writer, to: tensor.offset)
            digests.append(try send(tensor, plan.tensors[index], writer))
        }
        try pad(writer, to: work.size)
        return digests
    }

    private func pad(_ writer: ObjectWriter, to offset: UInt64) throws {
        guard writer.offset <= offset else {
            throw QuernError(.invalidInput, "the bytes before offset \(offset) reach beyond it", at: work.file)
        }
        try Self.zeros.withUnsafeBytes { zeros in
            while writer.offset < offset {
                let count = Int(min(UInt64(zeros.count), offset - writer.offset))
                try writer.append(UnsafeRawBufferPointer(rebasing: zeros[..<count]))
            }
        }
    }

    /// - Parameter pieces: indices into those of the plan.
    private func send(_ tensor: TensorPlacement, _ pieces: Range<Int>, _ writer: ObjectWriter) throws -> Digest {
        // A tensor of one stored part has its digest.
        var whole = pieces.count == 1 ? nil : SHA256Hasher()
        if plan.pieces[pieces].contains(where: { $0.lines != nil }) {
            try sendBesideEachOther(tensor, pieces) { bytes in
                whole?.update(bytes)
                try writer.append(bytes)
            }
        } else {
            for index in pieces {
                try read(index) { _, bytes in
                    whole?.update(bytes)
                    try writer.append(bytes)
                }
            }
        }
        return whole?.finish() ?? pieces.first.map { plan.pieces[$0].part.digest } ?? SHA256Hasher().finish()
    }

    /// Brings lines of all parts together, a region of the tensor after the other; for each of them all parts are read.
    private func sendBesideEachOther(
        _ tensor: TensorPlacement, _ pieces: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var region = [UInt8](repeating: 0, count: Int(min(Self.regionBytes, tensor.bytes)))
        var start: UInt64 = 0
        while start < tensor.bytes {
            let end = min(start + UInt64(region.count), tensor.bytes)
            try region.withUnsafeMutableBytes { region in
                for index in pieces {
                    let piece = plan.pieces[index]
                    guard let lines = piece.lines else { continue }
                    let column = piece.offset - tensor.offset
                    try read(index) { position, bytes in
                        var done = 0
                        while done < bytes.count {
                            let (line, skipped) = (position + UInt64(done)).quotientAndRemainder(
                                dividingBy: lines.length)
                            let count = min(bytes.count - done, Int(lines.length - skipped))
                            let place = line * lines.stride + column + skipped
                            let (first, last) = (max(place, start), min(place + UInt64(count), end))
                            if first < last {
                                let source = bytes[done + Int(first - place)..<done + Int(last - place)]
                                UnsafeMutableRawBufferPointer(rebasing: region[Int(first - start)...])
                                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: source))
                            }
                            done += count
                        }
                    }
                }
                try body(UnsafeRawBufferPointer(rebasing: region[..<Int(end - start)]))
            }
            start = end
        }
    }

    /// Hands over the bytes of a part, with their places in it, all of which are as they were encoded once it returns.
    /// - Throws: `LostBlobs` with all from here on that are lost, so that all are made again at once.
    private func read(_ index: Int, _ body: (UInt64, UnsafeRawBufferPointer) throws -> Void) throws {
        let part = plan.pieces[index].part
        var done: UInt64 = 0
        do {
            try context.blobs.stream(part.digest, checked: true, context.control) { bytes in
                try context.control.check()
                guard UInt64(bytes.count) <= part.bytes - done else { throw misfit(part) }
                try body(done, bytes)
                done += UInt64(bytes.count)
            }
        } catch let error as LostBlobs {
            var lost = error.digests
            for piece in plan.pieces[(index + 1)...] {
                do { try context.blobs.check(piece.part.digest, context.control) } catch let error as LostBlobs {
                    lost += error.digests
                }
            }
            throw LostBlobs(digests: lost, reason: error.reason)
        }
        guard done == part.bytes else { throw misfit(part) }
    }

    private func misfit(_ part: Part) -> QuernError {
        QuernError(.invalidInput, "part \(part.digest) has not the \(part.bytes) bytes it should have", at: work.file)
    }

    // MARK: Reading again

    private func check(
        _ object: any ArtifactObject, _ parts: [Digest], partBytes: Int, _ progress: ByteProgress
    ) throws {
        let isWhole = Mutexed(object.size == work.size)
        if isWhole.get() {
            try Parallel.forEach(parts.count, threads: ObjectWriter.partsAtOnce) { index in
                try context.control.check()
                let start = UInt64(index) * UInt64(partBytes)
                let range = start..<min(start + UInt64(partBytes), object.size)
                let bytes = try reach {
                    do { return try await object.bytes(range) } catch let error as QuernError
                        where error.code == .conflict
                    {
                        throw QuernError(.io, error.message, at: error.location, remedy: error.remedy)
                    }
                }
                if Digest(of: bytes) != parts[index] { isWhole.set(false) }
                progress.advance(UInt64(bytes.count))
            }
        }
        guard !isWhole.get() else { return }
        _ = try? reach { try await object.remove() }
        throw QuernError(
            .io, "it does not read back as it was sent", at: try objects.path(of: work.file),
            remedy: "It was removed, and will be sent again")
    }
}
