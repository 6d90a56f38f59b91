import QuernFormats

/// What strides pick of a source, as one run of bytes.
struct StridedSource: ByteSource {
    private let source: any ByteSource
    private let offset: UInt64
    private let strides: Strides
    /// Bytes of a row and of a group, picked.
    private let rowBytes: Int
    private let groupBytes: Int
    let size: UInt64
    var name: String { source.name }

    /// Neighbouring units are read together, up to so many bytes; units of at least `directBytes` are read alone.
    private static let runBytes = 256 << 10
    private static let directBytes = 4 << 10

    /// - Parameter size: bytes that are picked.
    /// - Throws: `.invalidInput` where strides make no sense or leave the source.
    init(_ source: any ByteSource, offset: UInt64, strides: Strides, size: UInt64) throws {
        let fault = QuernError(
            .invalidInput, "\(size) bytes picked by strides from offset \(offset) on leave it or make no sense",
            at: source.name)
        let sizes = [strides.unit, strides.columns, strides.rows]
        let steps = [strides.columnStride, strides.rowStride, strides.groupStride]
        guard sizes.allSatisfy({ $0 > 0 }), steps.allSatisfy({ $0 >= 0 }), size > 0,
            let row = Self.product(strides.unit, strides.columns), let group = Self.product(row, strides.rows),
            let most = Int(exactly: size), let start = Int(exactly: offset), let all = Int(exactly: source.size),
            let right = Self.product(strides.columns - 1, strides.columnStride),
            let bottom = Self.product(strides.rows - 1, strides.rowStride),
            let last = Self.product((most - 1) / group, strides.groupStride)
        else { throw fault }
        var room = all
        for part in [start, last, bottom, right, strides.unit] {
            guard part <= room else { throw fault }
            room -= part
        }
        (self.source, self.offset, self.strides, self.size) = (source, offset, strides, size)
        (rowBytes, groupBytes) = (row, group)
        source.willRead(offset..<offset + UInt64(last + bottom + right + strides.unit), soon: false)
    }

    private static func product(_ left: Int, _ right: Int) -> Int? {
        let (product, overflow) = left.multipliedReportingOverflow(by: right)
        return overflow ? nil : product
    }

    func read(at position: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard position <= size, UInt64(buffer.count) <= size - position else {
            throw QuernError(.invalidInput, "\(buffer.count) bytes at \(position) lie beyond what is picked", at: name)
        }
        var position = Int(position)
        var rest = buffer
        while !rest.isEmpty {
            let (group, inGroup) = position.quotientAndRemainder(dividingBy: groupBytes)
            let (row, inRow) = inGroup.quotientAndRemainder(dividingBy: rowBytes)
            let start = offset + UInt64(group * strides.groupStride + row * strides.rowStride)
            let done: Int
            if inRow > 0 || rest.count < rowBytes || strides.unit >= Self.directBytes {
                done = min(rowBytes - inRow, rest.count)
                try readRow(at: start, from: inRow, into: UnsafeMutableRawBufferPointer(rebasing: rest[..<done]))
            } else if strides.rows == 1, strides.columns == 1 {
                done =
                    min(rest.count, groupBytes * run(of: strides.groupStride), Int(size) - position)
                    / rowBytes * rowBytes
                try gather(at: start, step: strides.groupStride, into: rest, count: done / rowBytes)
            } else {
                let rows = min(rest.count / rowBytes, strides.rows - row, run(of: strides.rowStride))
                done = rows * rowBytes
                try gather(at: start, step: strides.rowStride, into: rest, count: rows)
            }
            position += done
            rest = UnsafeMutableRawBufferPointer(rebasing: rest[done...])
        }
    }

    /// How many units that lie `step` apart a run may span.
    private func run(of step: Int) -> Int { max(1, Self.runBytes / max(step, strides.unit)) }

    /// A part of one row, unit by unit.
    private func readRow(at start: UInt64, from first: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
        var done = 0
        while done < buffer.count {
            let (column, inUnit) = (first + done).quotientAndRemainder(dividingBy: strides.unit)
            let count = min(strides.unit - inUnit, buffer.count - done)
            try source.read(
                at: start + UInt64(column * strides.columnStride + inUnit),
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count]))
            done += count
        }
    }

    /// Whole rows: for every column a run that spans it is read, and its units are put to their places.
    private func gather(
        at start: UInt64, step: Int, into buffer: UnsafeMutableRawBufferPointer, count: Int
    ) throws {
        let unit = strides.unit
        let run = (count - 1) * step + unit
        try withUnsafeTemporaryAllocation(byteCount: run, alignment: 16) { run in
            guard let from = run.baseAddress, let to = buffer.baseAddress else { return }
            for column in 0..<strides.columns {
                try source.read(at: start + UInt64(column * strides.columnStride), into: run)
                for row in 0..<count {
                    (to + row * rowBytes + column * unit).copyMemory(from: from + row * step, byteCount: unit)
                }
            }
        }
    }
}
