import QuernFormats
import QuernJobs
import QuernStore

/// The bytes of a span as one run, wherever its extents lie.
struct SpanReader {
    private struct Run {
        /// Where the extent begins in the span, and its length.
        let start: Int
        let count: Int
        let source: any ByteSource
        let offset: UInt64
    }
    private let runs: [Run]
    /// Bytes in all: exactly those of the span's rows.
    let count: Int

    /// - Parameter blob: gives the bytes of a blob.
    /// - Throws: `.invalidInput` where the extents do not hold exactly the span's rows; what opening files throws.
    init(_ span: Span, files: SourceFiles, blob: (Digest) throws -> [UInt8]) throws {
        let (elements, overflow) = span.rows.multipliedReportingOverflow(by: span.columns)
        guard span.rows > 0, span.columns > 0, !overflow, span.columns % span.sourceType.blockSize == 0,
            let bytes = span.sourceType.bytes(elements: elements)
        else { throw Self.misfit(span, "\(span.rows) rows of \(span.columns) columns of \(span.sourceType)") }
        var runs: [Run] = []
        var start = 0
        for extent in span.extents {
            let source: any ByteSource =
                switch extent.origin {
                case .file(let index): try files.file(index)
                case .blob(let digest): MemorySource(bytes: try blob(digest), name: "blob \(digest)")
                }
            guard extent.length <= UInt64(bytes - start), extent.offset <= source.size,
                extent.length <= source.size - extent.offset
            else { throw Self.misfit(span, "\(extent.length) bytes at offset \(extent.offset) of \(source.name)") }
            runs.append(Run(start: start, count: Int(extent.length), source: source, offset: extent.offset))
            start += Int(extent.length)
        }
        guard start == bytes else { throw Self.misfit(span, "\(start) bytes in place of \(bytes)") }
        self.runs = runs
        count = bytes
    }

    /// Fills `buffer` with the bytes from `position` on, which must lie in the span.
    func read(at position: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
        let end = position + buffer.count
        for run in runs where run.start < end && position < run.start + run.count {
            let first = max(position, run.start)
            let last = min(end, run.start + run.count)
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[(first - position)..<(last - position)])
            try run.source.read(at: run.offset + UInt64(first - run.start), into: piece)
        }
    }

    private static func misfit(_ span: Span, _ what: String) -> QuernError {
        QuernError(.invalidInput, "the work item's extents do not fit its rows: \(what)", at: span.tensor)
    }
}

/// Bytes in memory as a source.
private struct MemorySource: ByteSource {
    let bytes: [UInt8]
    let name: String
    var size: UInt64 { UInt64(bytes.count) }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard offset <= size, UInt64(buffer.count) <= size - offset else {
            throw QuernError(.invalidInput, "\(buffer.count) bytes at offset \(offset) lie beyond its end", at: name)
        }
        bytes.withUnsafeBytes { bytes in
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[Int(offset)..<Int(offset) + buffer.count]))
        }
    }
}
