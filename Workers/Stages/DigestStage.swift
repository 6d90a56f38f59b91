import QuernFormats
import QuernJobs
import QuernStore

/// Hashes a source file, for the manifest. Where its version says the sha256, a file is not fetched for that.
struct DigestStage {
    let work: DigestWork
    let context: StageContext

    private static let pieceBytes = 1 << 20

    func run() throws -> StageOutcome {
        if let known = work.file.knownDigest {
            let result = DigestResult(sha256: known, size: work.file.size)
            return StageOutcome { Completion(result: .digest(result)) }
        }
        let file = try SourceFiles.openUnchanged(work.file)
        file.willRead(0..<file.size, soon: false)
        var hasher = SHA256Hasher()
        try context.scratch.withScratch { scratch in
            let buffer = try scratch.source.bytes(Self.pieceBytes)
            var position: UInt64 = 0
            while position < file.size {
                try context.control.check()
                let count = Int(min(UInt64(Self.pieceBytes), file.size - position))
                let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
                try file.read(at: position, into: piece)
                hasher.update(UnsafeRawBufferPointer(piece))
                position += UInt64(count)
                context.control.report(position, of: file.size)
            }
        }
        _ = try SourceFiles.openUnchanged(work.file)
        let result = DigestResult(sha256: hasher.finish(), size: file.size)
        return StageOutcome { Completion(result: .digest(result)) }
    }
}
