import NIOCore
import QuernFormats

/// Holds the answer to a request for a range against what was asked for.
enum RangeAnswer {
    /// As the header `Range` has it.
    static func header(_ range: Range<UInt64>) -> String { "bytes=\(range.lowerBound)-\(range.upperBound - 1)" }

    /// - Parameters:
    ///   - status: 200 or 206.
    ///   - contentRange: the header `Content-Range`.
    ///   - range: what was asked for.
    ///   - size: of the whole file, as it was planned with.
    /// - Returns: exactly the bytes of the range.
    /// - Throws: `.conflict` where the file has another size, `.unsupported` where the server knows no ranges,
    ///   `.unavailable` for what another try may mend: other bytes, or too few.
    static func bytes(
        status: Int, contentRange: String?, body: ByteBuffer, range: Range<UInt64>, size: UInt64, at place: String
    ) throws(QuernError) -> ByteBuffer {
        guard status == 206 else {
            // Who ignores ranges sends everything.
            guard UInt64(body.readableBytes) == size, let start = Int(exactly: range.lowerBound),
                let part = body.getSlice(at: body.readerIndex + start, length: range.count)
            else { throw noRanges(at: place) }
            return part
        }
        guard let contentRange, let answer = parse(contentRange) else {
            throw QuernError(
                .unavailable, "a range was answered without saying which (\(contentRange ?? "no Content-Range"))",
                at: place, remedy: "Try again; if it stays so, the server is broken")
        }
        if let total = answer.total, total != size { throw changed("\(total) bytes in place of \(size)", at: place) }
        guard answer.first == range.lowerBound, answer.last == range.upperBound - 1,
            body.readableBytes == range.count
        else {
            throw QuernError(
                .unavailable,
                "asked for bytes \(range.lowerBound)-\(range.upperBound - 1), got \(body.readableBytes) as \(contentRange)",
                at: place, remedy: "Try again; if it stays so, the server or a proxy is broken")
        }
        return body
    }

    static func noRanges(at place: String) -> QuernError {
        QuernError(
            .unsupported, "the server does not send parts of files", at: place,
            remedy: "Download the checkpoint, and give the folder")
    }

    /// - Parameter what: the difference.
    static func changed(_ what: String, at place: String) -> QuernError {
        QuernError(
            .conflict, "the source file has changed since the job was planned: \(what)", at: place,
            remedy: "Submit the job again for the new content")
    }

    /// `bytes FIRST-LAST/TOTAL`, of which the total may be unknown.
    private static func parse(_ text: String) -> (first: UInt64, last: UInt64, total: UInt64?)? {
        guard let match = text.wholeMatch(of: /bytes (\d+)-(\d+)\/(\d+|\*)/),
            let first = UInt64(match.1), let last = UInt64(match.2)
        else { return nil }
        return (first, last, UInt64(match.3))
    }
}
