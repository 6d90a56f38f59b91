import QuernFormats
import QuernJobs
import QuernModel
import QuernStore

/// Encodes spans of the source to every type that some target wants, unless somebody has done so before.
///
/// A span is gone through twice in small pieces, once to hash it and, where a part is missing, once to encode it. The
/// second pass is served by the kernel's page cache, so that an item of any size takes a few megabytes.
struct EncodeStage {
    let work: EncodeWork
    let context: StageContext

    private static let hashPieceBytes = 256 << 10

    func run() throws -> StageOutcome {
        let files = SourceFiles(work.files)
        let control = context.control
        let vectors = try MergedVectors(work.spans, context: context)
        let findings = Findings(context)
        let spans = try work.spans.map(vectors.resolve).map { span in
            (span: span, reader: try span.reader(of: files, in: context))
        }
        // Hashing, where there is a use for it, costs about a fifth of encoding.
        let bytes = spans.reduce(0) { $0 + $1.reader.count }
        var done: UInt64 = 0
        let total = UInt64(bytes) * (context.lookUp == nil ? 5 : 6)
        let advance: (Int) throws -> Void = { count in
            try control.check()
            done += UInt64(count)
            control.report(done, of: total)
        }

        // Nil where parts are not shared.
        let keys: [[Digest?]] = try spans.map { span, reader in
            guard context.lookUp != nil else { return span.outputs.map { _ in nil } }
            let source = try context.scratch.withScratch { try hash(reader, $0, advance) }
            return try span.outputs.map {
                try Digest.partKey(
                    encoder: work.encoder, span: span, output: $0, source: source, findings: findings)
            }
        }
        let known = try knownParts(keys.flatMap { $0.compactMap { $0 } })

        var parts: [Part] = []
        var cache: [Completion.CacheEntry] = []
        var writers: [PartWriter] = []
        for ((span, reader), keys) in zip(spans, keys) {
            let missing = zip(span.outputs, keys).filter { $0.1.flatMap { known[$0] } == nil }.map(\.0)
            let made = try vectors.healing {
                try context.scratch.withScratch { scratch in
                    try SpanEncoder(
                        span: span, reader: reader, outputs: missing, blobs: context.blobs, control: control,
                        findings: findings, engine: context.engine, makeWriter: makeWriter
                    ).run(scratch) { try advance($0 * 5) }
                }
            }
            if missing.isEmpty { try advance(reader.count * 5) }
            var next = made.makeIterator()
            for key in keys {
                if let part = key.flatMap({ known[$0] }) {
                    parts.append(part)
                } else if let (part, writer) = next.next() {
                    parts.append(part)
                    if let key { cache.append(Completion.CacheEntry(key: key, part: part)) }
                    writers.append(writer)
                }
            }
        }
        try files.checkUnchanged()
        let completion = Completion(result: .encode(EncodeResult(parts: parts)), cache: cache)
        return StageOutcome { [blobs = context.blobs, writers] in
            try blobs.commit(writers, control)
            return completion
        }
    }

    private func makeWriter(_ output: EncodeOutput) throws -> PartWriter {
        guard let open = context.files?.open else { return try context.blobs.makeWriter() }
        return PartWriter(
            .files(
                try output.places.map { place in
                    guard work.artifacts.indices.contains(place.file),
                        place.lines.map({ $0.length > 0 && $0.length <= $0.stride }) ?? true
                    else {
                        throw QuernError(.invalidInput, "the work item has a part at no place of file \(place.file)")
                    }
                    let artifact = work.artifacts[place.file]
                    return FilePlace(
                        file: try open.file(artifact.name, size: artifact.bytes), offset: place.offset,
                        lines: place.lines)
                }))
    }

    private func hash(_ reader: SpanReader, _ scratch: Scratch, _ advance: (Int) throws -> Void) throws -> Digest {
        var hasher = SHA256Hasher()
        let buffer = try scratch.source.bytes(Self.hashPieceBytes)
        for position in stride(from: 0, to: reader.count, by: buffer.count) {
            let piece = UnsafeMutableRawBufferPointer(
                rebasing: buffer[..<min(buffer.count, reader.count - position)])
            try reader.read(at: position, into: piece)
            hasher.update(UnsafeRawBufferPointer(piece))
            try advance(piece.count)
        }
        return hasher.finish()
    }

    /// Parts that the coordinator knows and the store still has. What the store has lost is made again.
    private func knownParts(_ keys: [Digest]) throws -> [Digest: Part] {
        guard let lookUp = context.lookUp else { return [:] }
        return try lookUp(keys).filter { try context.blobs.contains($0.value.digest, context.control) }
    }
}

extension Span {
    /// Its rows, wherever they lie.
    /// - Throws: as `SpanReader`.
    func reader(of files: SourceFiles, in context: StageContext) throws -> SpanReader {
        try SpanReader(
            extents: extents, scales: scales, type: sourceType, columns: columns, rows: rows, name: tensor,
            files: files, weights: { try DequantizedSource($0, files: files) }
        ) { try context.blobs.get($0, context.control) }
    }
}
