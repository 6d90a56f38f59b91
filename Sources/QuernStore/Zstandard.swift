import CZstd
import QuernFormats

/// Zstandard (RFC 8878) in independent frames, each with its content size and a checksum. Whole messages only hold
/// frames made here; whatever else is met is refused before memory is taken for it.
public enum Zstandard {
    /// Bytes of content in one frame; the last frame of a message may hold less.
    public static let frameBytes = 1 << 20
    /// Largest content of a single frame that is accepted.
    static let maximumFrameBytes = 8 << 20
    /// Base-2 logarithm of the largest window a frame may ask for.
    static let maximumWindowLog: Int32 = 27
    /// Most bytes a frame of `frameBytes` can take.
    public static var frameBound: Int { ZSTD_compressBound(frameBytes) }

    /// `bytes` as a run of frames.
    /// - Parameter level: 1 to 3.
    public static func compress(_ bytes: UnsafeRawBufferPointer, level: Int = 1) throws -> [UInt8] {
        let compressor = try ZstandardCompressor(level: level)
        var output: [UInt8] = []
        let frame = UnsafeMutableRawBufferPointer.allocate(byteCount: frameBound, alignment: 16)
        defer { frame.deallocate() }
        for start in stride(from: 0, to: bytes.count, by: frameBytes) {
            let content = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + frameBytes, bytes.count)])
            let count = try compressor.frame(of: content, into: frame)
            output.append(contentsOf: frame[..<count])
        }
        return output
    }

    /// The content of a run of frames.
    /// - Parameter limit: most bytes of content to accept.
    /// - Throws: `.corrupted` where the frames are damaged, do not declare their size, or hold more than `limit`.
    public static func decompress(_ bytes: UnsafeRawBufferPointer, limit: Int) throws -> [UInt8] {
        let decompressor = try ZstandardDecompressor()
        var total = 0
        var position = 0
        while position < bytes.count {
            let frame = try frameSizes(UnsafeRawBufferPointer(rebasing: bytes[position...]))
            guard frame.content <= limit - total else {
                throw QuernError(.corrupted, "compressed data holds more than \(limit) bytes")
            }
            total += frame.content
            position += frame.stored
        }
        return try [UInt8](unsafeUninitializedCapacity: total) { buffer, initialized in
            let output = UnsafeMutableRawBufferPointer(buffer)
            var position = 0
            while position < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
                let frame = try frameSizes(rest)
                try decompressor.content(
                    of: UnsafeRawBufferPointer(rebasing: rest[..<frame.stored]),
                    into: UnsafeMutableRawBufferPointer(
                        rebasing: output[initialized..<initialized + frame.content]))
                initialized += frame.content
                position += frame.stored
            }
        }
    }

    /// The bytes that the first frame takes, and those it declares to hold.
    /// - Throws: `.corrupted` where `bytes` does not begin with a whole frame of an acceptable size.
    static func frameSizes(_ bytes: UnsafeRawBufferPointer) throws -> (stored: Int, content: Int) {
        let stored = ZSTD_findFrameCompressedSize(bytes.baseAddress, bytes.count)
        guard ZSTD_isError(stored) == 0, stored > 0, stored <= bytes.count else {
            throw QuernError(.corrupted, "not a whole compressed frame")
        }
        // The two highest values mean "unknown" and "error"; both are far above the limit.
        let content = ZSTD_getFrameContentSize(bytes.baseAddress, bytes.count)
        guard content <= UInt64(maximumFrameBytes) else {
            throw QuernError(.corrupted, "a compressed frame does not declare an acceptable size")
        }
        return (stored, Int(content))
    }

    /// Whether compressing `bytes` saves at least 3 %, judged by three samples of 64 KiB.
    static func pays(_ bytes: UnsafeRawBufferPointer) throws -> Bool {
        let sample = 64 << 10
        guard bytes.count > 512 else { return false }
        let compressor = try ZstandardCompressor(level: 1)
        let frame = UnsafeMutableRawBufferPointer.allocate(byteCount: ZSTD_compressBound(sample), alignment: 16)
        defer { frame.deallocate() }
        var (content, stored) = (0, 0)
        let starts =
            bytes.count <= 3 * sample
            ? Array(stride(from: 0, to: bytes.count, by: sample))
            : [0, (bytes.count - sample) / 2, bytes.count - sample]
        for start in starts {
            let part = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + sample, bytes.count)])
            content += part.count
            stored += try compressor.frame(of: part, into: frame)
        }
        return stored * 100 <= content * 97
    }
}

/// Owner of a compression context.
struct ZstandardCompressor: ~Copyable, @unchecked Sendable {
    // A context may move between threads; its one owner never uses it from two at once.
    private let context: OpaquePointer

    /// - Parameter level: 1 to 3.
    init(level: Int) throws {
        guard let context = ZSTD_createCCtx() else {
            throw QuernError(.outOfMemory, "no memory for a compression context")
        }
        self.context = context
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(max(1, min(level, 3))))
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 1)
    }

    deinit { ZSTD_freeCCtx(context) }

    /// Writes one frame that holds `content`.
    /// - Parameter output: holds at least the frame bound of `content`.
    /// - Returns: bytes written.
    func frame(of content: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = ZSTD_compress2(context, output.baseAddress, output.count, content.baseAddress, content.count)
        guard ZSTD_isError(count) == 0 else {
            throw QuernError(.internalFault, "compression failed: \(String(cString: ZSTD_getErrorName(count)))")
        }
        return count
    }
}

/// Owner of a decompression context.
struct ZstandardDecompressor: ~Copyable, @unchecked Sendable {
    // A context may move between threads; its one owner never uses it from two at once.
    private let context: OpaquePointer

    init() throws {
        guard let context = ZSTD_createDCtx() else {
            throw QuernError(.outOfMemory, "no memory for a decompression context")
        }
        self.context = context
        ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Zstandard.maximumWindowLog)
    }

    deinit { ZSTD_freeDCtx(context) }

    /// Fills `output` with the content of exactly one frame.
    /// - Throws: `.corrupted` where the frame is damaged or holds another number of bytes.
    func content(of frame: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws {
        let count = ZSTD_decompressDCtx(context, output.baseAddress, output.count, frame.baseAddress, frame.count)
        guard ZSTD_isError(count) == 0, count == output.count else {
            throw QuernError(.corrupted, "a compressed frame is damaged")
        }
    }
}
