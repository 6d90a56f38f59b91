import QuernFormats

/// The bytes of rows as one run, in the order of the artifact, wherever their extents lie.
public struct SpanReader: Sendable {
    private let codes: JoinedSource
    /// Where MXFP4 is stored in two parts.
    private let scales: JoinedSource?
    /// Bytes in all: exactly those of the rows.
    public let count: Int

    private static let mxfp4Block = 17
    /// Blocks of MXFP4 that are put together at a time.
    private static let batch = 2048

    /// - Parameters:
    ///   - extents: where the rows lie, in order.
    ///   - scales: empty, or where the scales of MXFP4 blocks lie; `extents` then hold nothing but codes.
    ///   - name: of the tensor, for messages.
    ///   - weights: gives the values of quantized weights.
    ///   - blob: gives the bytes of a blob.
    /// - Throws: `.invalidInput` where the extents do not hold exactly these rows; what opening files throws.
    public init(
        extents: [Extent], scales: [Extent] = [], type: ElementType, columns: Int, rows: Int, name: String,
        files: SourceFiles, weights: (QuantizedMatrix) throws -> any ByteSource, blob: (Digest) throws -> [UInt8]
    ) throws {
        func joined(_ extents: [Extent], count: Int) throws -> JoinedSource {
            try JoinedSource(extents, count: count, name: name) { origin in
                switch origin {
                case .file(let index): try files.file(index)
                case .blob(let digest): MemoryByteSource(try blob(digest), name: "blob \(digest)")
                case .weights(let matrix): try weights(matrix)
                }
            }
        }
        let (elements, overflow) = rows.multipliedReportingOverflow(by: columns)
        guard rows > 0, columns > 0, !overflow, columns % type.blockSize == 0,
            let bytes = type.bytes(elements: elements)
        else { throw JoinedSource.misfit("\(rows) rows of \(columns) columns of \(type)", name) }
        count = bytes
        if scales.isEmpty {
            codes = try joined(extents, count: bytes)
            self.scales = nil
        } else {
            guard type == .mxfp4 else { throw JoinedSource.misfit("\(type) has no scales of its own", name) }
            let blocks = bytes / Self.mxfp4Block
            codes = try joined(extents, count: bytes - blocks)
            self.scales = try joined(scales, count: blocks)
        }
    }

    /// Fills `buffer` with the bytes from `position` on, which must lie in the span.
    public func read(at position: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard let scales else { return try codes.read(at: position, into: buffer) }
        let size = Self.mxfp4Block
        var done = 0
        while done < buffer.count {
            let first = (position + done) / size
            let skip = position + done - first * size
            let blocks = min(Self.batch, (skip + buffer.count - done + size - 1) / size)
            try withUnsafeTemporaryAllocation(byteCount: 2 * blocks * size, alignment: 16) { scratch in
                let stored = UnsafeMutableRawBufferPointer(rebasing: scratch[..<(blocks * size)])
                let made = UnsafeMutableRawBufferPointer(rebasing: scratch[(blocks * size)...])
                try scales.read(at: first, into: UnsafeMutableRawBufferPointer(rebasing: stored[..<blocks]))
                try codes.read(at: 16 * first, into: UnsafeMutableRawBufferPointer(rebasing: stored[blocks...]))
                MXFP4Parts.join(
                    codes: UnsafeRawBufferPointer(rebasing: stored[blocks...]),
                    scales: UnsafeRawBufferPointer(rebasing: stored[..<blocks]), into: made)
                let count = min(blocks * size - skip, buffer.count - done)
                UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: made[skip..<skip + count]))
                done += count
            }
        }
    }
}

/// MXFP4 as transformers stores it: 16 bytes of codes for a block of 32, and its scale in another tensor.
enum MXFP4Parts {
    /// Makes GGUF's blocks: the scale, then 16 bytes of which byte j holds code j in its low and code j + 16 in its
    /// high half. Stored, byte j holds codes 2j and 2j + 1.
    /// - Parameters:
    ///   - codes: 16 bytes a block.
    ///   - scales: one byte a block.
    ///   - output: 17 bytes a block.
    static func join(
        codes: UnsafeRawBufferPointer, scales: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) {
        precondition(codes.count == 16 * scales.count && output.count == 17 * scales.count)
        for block in scales.indices {
            output[17 * block] = scales[block]
            for pair in 0..<8 {
                let (low, high) = (codes[16 * block + pair], codes[16 * block + 8 + pair])
                output[17 * block + 1 + 2 * pair] = low & 15 | high << 4
                output[17 * block + 2 + 2 * pair] = low >> 4 | high & 0xF0
            }
        }
    }
}

/// Extents, one after the other.
private struct JoinedSource: Sendable {
    private struct Run {
        /// Where the extent begins, and its length.
        let start: Int
        let count: Int
        let source: any ByteSource
        let offset: UInt64
    }
    private let runs: [Run]

    init(
        _ extents: [Extent], count: Int, name: String, open: (Extent.Origin) throws -> any ByteSource
    ) throws {
        var runs: [Run] = []
        var start = 0
        for extent in extents {
            var source = try open(extent.origin)
            var offset = extent.offset
            if let strides = extent.strides {
                let (size, overflow) = extent.length.addingReportingOverflow(strides.skip)
                guard !overflow else { throw Self.misfit("strides that skip \(strides.skip) bytes", name) }
                source = try StridedSource(source, offset: offset, strides: strides, size: size)
                offset = strides.skip
            }
            guard extent.length <= UInt64(count - start), offset <= source.size, extent.length <= source.size - offset
            else { throw Self.misfit("\(extent.length) bytes at offset \(extent.offset) of \(source.name)", name) }
            if case .file = extent.origin, extent.strides == nil {
                source.willRead(offset..<offset + extent.length, soon: false)
            }
            runs.append(Run(start: start, count: Int(extent.length), source: source, offset: offset))
            start += Int(extent.length)
        }
        guard start == count else { throw Self.misfit("\(start) bytes in place of \(count)", name) }
        self.runs = runs
    }

    func read(at position: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
        let end = position + buffer.count
        // Runs are in order: the first that reaches beyond the position.
        var index = runs.partitioningIndex { $0.start + $0.count > position }
        while index < runs.count, runs[index].start < end {
            let run = runs[index]
            let first = max(position, run.start)
            let last = min(end, run.start + run.count)
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[(first - position)..<(last - position)])
            try run.source.read(at: run.offset + UInt64(first - run.start), into: piece)
            index += 1
        }
    }

    static func misfit(_ what: String, _ tensor: String) -> QuernError {
        QuernError(.invalidInput, "the work item's extents do not fit its rows: \(what)", at: tensor)
    }
}

extension Array {
    /// The first index whose element satisfies `belongs`, where all after it do as well.
    package func partitioningIndex(where belongs: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if belongs(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
