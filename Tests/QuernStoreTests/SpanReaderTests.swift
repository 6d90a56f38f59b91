import QuernFormats
import QuernStore
import TestSupport
import Testing

/// Rows are read as they should stand, wherever their bytes lie and however they are cut.
@Suite struct SpanReaderTests {
    private let folder: TemporaryFolder
    private let bytes: [UInt8]
    private let files: SourceFiles

    init() throws {
        folder = try TemporaryFolder()
        var generator = SeededGenerator(seed: 5)
        bytes = (0..<600_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let file = try FileByteSource(path: folder.write(bytes, to: "source"))
        files = SourceFiles([SourceFile(path: file.name, name: "source", size: file.size, modified: file.modified)])
    }

    private func reader(_ extents: [Extent], scales: [Extent] = [], type: ElementType = .i8, columns: Int, rows: Int)
        throws -> SpanReader
    {
        try SpanReader(
            extents: extents, scales: scales, type: type, columns: columns, rows: rows, name: "t", files: files,
            weights: { _ in MemoryByteSource(bytes, name: "weights") }
        ) { _ in [] }
    }

    private func read(_ reader: SpanReader, _ range: Range<Int>) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            try reader.read(at: range.lowerBound, into: UnsafeMutableRawBufferPointer(buffer))
            count = range.count
        }
    }

    /// By the definition of strides.
    private func picked(_ extent: Extent) -> [UInt8] {
        guard let strides = extent.strides else {
            return Array(bytes[Int(extent.offset)...].prefix(Int(extent.length)))
        }
        return (Int(strides.skip)..<Int(strides.skip + extent.length)).map { index in
            let (unit, inUnit) = index.quotientAndRemainder(dividingBy: strides.unit)
            let (row, column) = unit.quotientAndRemainder(dividingBy: strides.columns)
            let (group, inGroup) = row.quotientAndRemainder(dividingBy: strides.rows)
            return bytes[
                Int(extent.offset) + group * strides.groupStride + inGroup * strides.rowStride
                    + column * strides.columnStride + inUnit]
        }
    }

    @Test(arguments: 0..<120 as Range<UInt64>)
    func stridesPickWhatTheySay(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        // Units of a few bytes, and of more than are gathered.
        let unit = seed % 3 == 0 ? number(4096...9000) : number(1...40)
        let (columns, rows) = seed % 4 == 1 ? (1, 1) : (number(1...6), number(1...5))
        let strides = Strides(
            unit: unit, columns: columns, columnStride: number(0...9000), rows: rows, rowStride: number(0...300),
            groupStride: number(0...(2 * unit)))
        let room = bytes.count - (columns - 1) * strides.columnStride - (rows - 1) * strides.rowStride - unit
        let groups = min(strides.groupStride == 0 ? 50 : room / strides.groupStride, 4000 / rows / columns + 1)
        try #require(groups > 0)
        let whole = Extent(
            origin: .file(0), offset: UInt64(number(0...(room - (groups - 1) * strides.groupStride))),
            length: UInt64(groups * rows * columns * unit), strides: strides)
        let expected = picked(whole)
        // In parts, as a tensor is cut to spans, and each part read in pieces.
        let cut = number(0...expected.count)
        for (start, count) in [(0, cut), (cut, expected.count - cut)] where count > 0 {
            let part = whole.part(at: UInt64(start), length: UInt64(count), origin: .file(0))
            let reader = try reader([part], columns: count, rows: 1)
            var read: [UInt8] = []
            while read.count < count {
                let piece = min(number(1...100_000), count - read.count)
                read += try self.read(reader, read.count..<(read.count + piece))
            }
            #expect(read == Array(expected[start..<(start + count)]))
        }
    }

    @Test func heads() throws {
        let strides = Strides.interleavedHalves(rowBytes: 3, size: 4)
        let extent = Extent(origin: .file(0), offset: 7, length: 24, strides: strides)
        let rows = [0, 2, 1, 3, 4, 6, 5, 7].flatMap { Array(bytes[(7 + 3 * $0)..<(10 + 3 * $0)]) }
        #expect(try read(reader([extent], columns: 3, rows: 8), 0..<24) == rows)
    }

    @Test func matricesAreTransposed() throws {
        // Two matrices of 2 × 3 two-byte elements, of which every other column counts, in rows of 10 bytes.
        let strides = Strides.transposed(rows: 2, columns: 2, columnStep: 2, element: 2, rowBytes: 10, matrixBytes: 20)
        let extent = Extent(origin: .file(0), offset: 0, length: 16, strides: strides)
        let expected = [0, 10, 4, 14, 20, 30, 24, 34].flatMap { [bytes[$0], bytes[$0 + 1]] }
        #expect(try read(reader([extent], columns: 16, rows: 1), 0..<16) == expected)
    }

    /// Code by code: where transformers has it and where GGUF has it.
    @Test func codesAndScalesBecomeBlocks() throws {
        let (columns, rows) = (96, 1500)
        let blocks = columns / 32 * rows
        let codes = Extent(
            origin: .file(0), offset: 100, length: UInt64(16 * blocks),
            strides: .first(columns / 2, of: columns))
        let scales = Extent(
            origin: .file(0), offset: 300_000, length: UInt64(blocks), strides: .first(columns / 32, of: columns / 16))
        let (codeBytes, scaleBytes) = (picked(codes), picked(scales))
        var expected: [UInt8] = []
        for block in 0..<blocks {
            let values = (0..<32).map { index in
                let byte = codeBytes[16 * block + index / 2]
                return index % 2 == 0 ? byte & 15 : byte >> 4
            }
            expected.append(scaleBytes[block])
            expected += (0..<16).map { values[$0] | values[$0 + 16] << 4 }
        }
        let reader = try reader([codes], scales: [scales], type: .mxfp4, columns: columns, rows: rows)
        #expect(reader.count == expected.count)
        #expect(try read(reader, 0..<expected.count) == expected)
        for start in [1, 16, 17, 18, 34_815, 34_816, expected.count - 5] {
            let range = start..<min(start + 40_000, expected.count)
            #expect(try read(reader, range) == Array(expected[range]))
        }
    }

    @Test(arguments: [
        Strides(unit: 0, groupStride: 1), Strides(unit: 4, columns: 0, groupStride: 4),
        Strides(unit: 4, groupStride: -1), Strides(unit: 4, groupStride: 700_000),
        Strides(unit: 4, columns: .max, columnStride: 2, groupStride: 1),
        Strides(unit: 4, groupStride: .max), Strides(unit: 8, groupStride: 8, skip: .max),
        Strides(unit: 8, groupStride: 8, skip: 599_990), Strides(unit: .max, columns: 2, groupStride: 1),
    ])
    func stridesThatLeaveTheSourceAreRefused(strides: Strides) throws {
        let extent = Extent(origin: .file(0), offset: 0, length: 16, strides: strides)
        #expect { try reader([extent], columns: 16, rows: 1) } throws: { ($0 as? QuernError)?.code == .invalidInput }
    }

    @Test func scalesBelongToMXFP4Alone() throws {
        let extent = Extent(origin: .file(0), offset: 0, length: 16)
        #expect { try reader([extent], scales: [extent], columns: 16, rows: 1) } throws: {
            ($0 as? QuernError)?.code == .invalidInput
        }
    }
}
