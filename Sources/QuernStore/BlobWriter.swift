import Glibc
import QuernFormats
import Synchronization

/// A blob in the making: a temporary file that grows, hashed on its way. Dropped without a commit it leaves nothing.
///
/// Bytes are appended by one thread; another may commit them.
public final class BlobWriter: Sendable {
    fileprivate let state: Mutex<State>
    let temporary: String
    private let finished = Mutex<(digest: Digest, bytes: UInt64, compressed: Bool)?>(nil)

    fileprivate struct State: ~Copyable {
        var file: FileDescriptor
        var hasher = SHA256Hasher()
        /// Bytes appended, and bytes in the file.
        var content: UInt64 = 0
        var stored: UInt64 = 0
        var form: Form
        var compressor: ZstandardCompressor?
        /// Content that waits for a whole frame.
        var staged: [UInt8] = []

        enum Form {
            case undecided, raw, frames
        }
    }

    init(temporary: String, compress: Bool) throws {
        self.temporary = temporary
        let file = try FileDescriptor(path: temporary, flags: O_RDWR | O_CREAT | O_EXCL)
        state = Mutex(State(file: file, form: compress ? .undecided : .raw))
    }

    deinit { FileSystem.remove(temporary) }

    /// Takes in the next bytes.
    /// - Throws: `.outOfSpace`, `.io`, or `.invalidInput` where the blob would grow over `maximumBlobBytes`.
    public func append(_ bytes: UnsafeRawBufferPointer) throws {
        try state.withLock { state in
            guard state.content + UInt64(bytes.count) <= UInt64(maximumBlobBytes) else {
                throw QuernError(
                    .invalidInput, "a blob holds at most \(maximumBlobBytes) bytes", remedy: "Cut the span smaller")
            }
            state.hasher.update(bytes)
            state.content += UInt64(bytes.count)
            try state.take(bytes)
        }
    }

    /// Ends the blob; nothing can be appended after. Cheap: durability is the business of `commit`.
    /// - Returns: the blob's name and its uncompressed size.
    public func finish() throws -> (digest: Digest, bytes: UInt64) {
        if let known = finished.withLock({ $0 }) { return (known.digest, known.bytes) }
        let result = try state.withLock { state in
            let compressed = try state.flush()
            return (state.hasher.finish(), state.content, compressed)
        }
        finished.withLock { $0 = result }
        return (result.0, result.1)
    }

    /// Whether the file holds frames; only known when finished.
    var isCompressed: Bool { finished.withLock { $0?.compressed ?? false } }

    func sync() throws {
        try state.withLock { try $0.file.sync() }
    }
}

extension BlobWriter.State {
    fileprivate mutating func take(_ bytes: UnsafeRawBufferPointer) throws {
        if form == .raw { return try writeRaw(bytes) }
        var rest = bytes
        while !rest.isEmpty {
            let count = min(rest.count, Zstandard.frameBytes - staged.count)
            staged.append(contentsOf: rest[rest.startIndex..<rest.startIndex + count])
            rest = UnsafeRawBufferPointer(rebasing: rest[(rest.startIndex + count)...])
            if staged.count == Zstandard.frameBytes {
                try writeStaged()
                if form == .raw { return try writeRaw(rest) }
            }
        }
    }

    /// Writes what is staged.
    /// - Returns: whether the file holds frames.
    fileprivate mutating func flush() throws -> Bool {
        if !staged.isEmpty { try writeStaged() }
        staged = []
        compressor = nil
        return form == .frames
    }

    private mutating func writeStaged() throws {
        if form == .undecided {
            form = try staged.withUnsafeBytes { try Zstandard.pays($0) } ? .frames : .raw
            if form == .frames { compressor = try ZstandardCompressor(level: 1) }
        }
        if form == .raw {
            let bytes = staged
            staged = []
            return try bytes.withUnsafeBytes { try writeRaw($0) }
        }
        let count = try staged.withUnsafeBytes { content in
            try withUnsafeTemporaryAllocation(byteCount: Zstandard.frameBound, alignment: 16) { frame in
                let count =
                    switch compressor {
                    case .some(let compressor): try compressor.frame(of: content, into: frame)
                    case .none: 0
                    }
                try file.write(at: stored, UnsafeRawBufferPointer(rebasing: frame[..<count]))
                return count
            }
        }
        stored += UInt64(count)
        staged.removeAll(keepingCapacity: true)
    }

    private mutating func writeRaw(_ bytes: UnsafeRawBufferPointer) throws {
        try file.write(at: stored, bytes)
        stored += UInt64(bytes.count)
    }
}
