import QuernJobs
import QuernStore

/// Where the bytes of a part are in an artifact file.
struct FilePlace {
    let file: ArtifactFile
    /// From the start of the file.
    let offset: UInt64
    /// Nil for bytes that follow each other.
    let lines: PartPlace.Lines?

    /// - Parameter position: of the bytes, from the start of the part.
    /// - Throws: as `ArtifactFile`.
    func write(at position: UInt64, _ bytes: UnsafeRawBufferPointer) throws {
        try forEachRun(from: position, count: bytes.count) { offset, run in
            try file.write(at: offset, UnsafeRawBufferPointer(rebasing: bytes[run]))
        }
    }

    /// - Parameter position: of the bytes, from the start of the part.
    /// - Throws: as `ArtifactFile`.
    func read(at position: UInt64, into bytes: UnsafeMutableRawBufferPointer) throws {
        try forEachRun(from: position, count: bytes.count) { offset, run in
            try file.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: bytes[run]))
        }
    }

    /// - Parameter body: takes bytes that lie together: their place in the file, and among those asked for.
    private func forEachRun(from position: UInt64, count: Int, _ body: (UInt64, Range<Int>) throws -> Void) rethrows {
        guard let lines else { return try body(offset + position, 0..<count) }
        var done = 0
        while done < count {
            let (line, skipped) = (position + UInt64(done)).quotientAndRemainder(dividingBy: lines.length)
            let end = done + Int(min(UInt64(count - done), lines.length - skipped))
            // What goes beyond all bounds is refused by the file.
            try body(offset &+ line &* lines.stride &+ skipped, done..<end)
            done = end
        }
    }
}
