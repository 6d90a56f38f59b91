import QuernFormats
import QuernKernels
import QuernStore

/// The values of a quantized matrix as if they were stored: rows are computed when they are asked for, from their own
/// numbers and scales alone. Threads may share it.
public struct DequantizedSource: ByteSource {
    let matrix: QuantizedMatrix
    let parts: [Place]
    private let globalScale: Float?
    /// Where one stands for all rows.
    private let oneScale: [UInt8]?
    private let elementType: ElementType
    /// Where rows lie scattered, those computed last are kept: whoever reads some goes on with the next.
    private let recent: RecentBlocks
    public let size: UInt64
    public let name: String

    struct Place {
        let component: WeightComponent
        /// Among the files.
        let index: Int
        let file: any CheckpointFile
        let offset: UInt64
    }

    /// Values that are computed at a time, unless a row has more.
    private static let pieceValues = 64 << 10
    /// Rows that are computed at a time where they are columns of what is stored.
    private static let scatteredRows = 128

    /// Reads what stands for the whole matrix: its shape, its global scale.
    /// - Parameter files: those that the matrix's parts mean.
    /// - Throws: `QuernError` `.invalidInput` where that makes no sense; what opening files throws.
    public init(_ matrix: QuantizedMatrix, files: SourceFiles) throws {
        let parts = try matrix.parts.map {
            Place(component: $0.component, index: $0.file, file: try files.file($0.file), offset: $0.offset)
        }
        let name = "\(parts.first?.file.name ?? ""): layer \(matrix.layer.quotedForMessage)"
        size = UInt64(matrix.rows) * UInt64(matrix.rowBytes)
        elementType = matrix.valueType.elementType ?? .f32
        var (globalScale, oneScale): (Float?, [UInt8]?)
        for part in parts {
            let count = matrix.bytes(of: part.component, rows: matrix.rows)
            func bytes() throws -> [UInt8] { try part.file.bytes(at: part.offset, count: count) }
            func fault(_ message: String) -> QuernError {
                QuernError(
                    .invalidInput, "its \(part.component.rawValue) is \(message)", at: name, remedy: Self.remedy)
            }
            guard part.offset <= part.file.size, UInt64(count) <= part.file.size - part.offset else {
                throw fault("beyond the end of \(part.file.name)")
            }
            part.file.willRead(part.offset..<part.offset + UInt64(count), soon: false)
            switch part.component {
            case .globalScale:
                let scale = Float(bitPattern: UInt32(truncatingIfNeeded: Self.word(try bytes()[...])))
                guard scale > 0, scale.isFinite else { throw fault("\(scale), and scales are divided by it") }
                globalScale = scale
            case .shape:
                let stored = try bytes()
                let shape = [Self.word(stored[..<8]), Self.word(stored[8...])]
                guard shape == [UInt64(matrix.rows), UInt64(matrix.columns)] else {
                    throw fault("\(shape), and its tensors hold [\(matrix.rows), \(matrix.columns)]")
                }
            case .scale where matrix.hasOneScale: oneScale = try bytes()
            default: break
            }
        }
        (self.matrix, self.parts, self.name) = (matrix, parts, name)
        (self.globalScale, self.oneScale) = (globalScale, oneScale)
        recent = files.recent
    }

    private static let remedy = "The checkpoint is damaged there: download or export it again"

    private static func word(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    public func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard offset <= size, UInt64(buffer.count) <= size - offset else {
            throw QuernError(.invalidInput, "\(buffer.count) bytes at \(offset) lie beyond its values", at: name)
        }
        let rowBytes = matrix.rowBytes
        var done = 0
        while done < buffer.count {
            let (row, skip) = (Int(offset) + done).quotientAndRemainder(dividingBy: rowBytes)
            let wanted = (skip + buffer.count - done + rowBytes - 1) / rowBytes
            func copy(_ bytes: UnsafeRawBufferPointer, from rows: Range<Int>) {
                let start = (row - rows.lowerBound) * rowBytes + skip
                let count = min(bytes.count - start, buffer.count - done)
                UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]))
                done += count
            }
            if matrix.storage.isTransposed {
                let (rows, values) = try scattered(around: row)
                values.withUnsafeBytes { copy($0, from: rows) }
            } else {
                let rows = together(row, wanted)
                try withValues(of: rows) { copy($0, from: rows) }
            }
        }
    }

    /// As many rows from a row on as are wanted and computed at a time: from the middle of rows that share a row of scales
    /// or zero points no further than to their end.
    private func together(_ row: Int, _ wanted: Int) -> Range<Int> {
        let most = max(1, Self.pieceValues / matrix.columns)
        let multiple = matrix.storage.numbers.rowMultiple
        return row..<row + min(wanted, row % multiple == 0 ? most : min(most, multiple - row % multiple))
    }

    private func scattered(around row: Int) throws -> (rows: Range<Int>, values: [UInt8]) {
        let first = row / Self.scatteredRows * Self.scatteredRows
        let rows = first..<min(first + Self.scatteredRows, matrix.rows)
        let place = parts.first.map { ($0.index, $0.offset) } ?? (0, 0)
        let key = RecentBlocks.Key(file: place.0, offset: place.1, type: matrix.valueType, first: first)
        return (rows, try recent.block(key) { try withValues(of: rows) { Array($0) } })
    }

    private func withValues<Result>(
        of rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let count = rows.count * matrix.columns
        let numbers = WeightStorage(matrix.storage.numbers)
        let others = matrix.storage.layout == .compressedTensors ? nil : try others(rows)
        let components = numbers.numbers.rowComponents
        let sizes = components.map {
            numbers.bytes(of: $0, rows: rows.count, columns: matrix.columns, source: matrix.scaleType) ?? 0
        }
        let stored = sizes.reduce(0) { $0 + Self.aligned($1) }
        let rounded = matrix.valueType == .f32 ? 0 : rows.count * matrix.rowBytes
        return try withUnsafeTemporaryAllocation(
            byteCount: stored + Self.aligned(4 * count) + rounded, alignment: 64
        ) { memory in
            var taken = 0
            func take(_ size: Int) -> UnsafeMutableRawBufferPointer {
                defer { taken += Self.aligned(size) }
                return UnsafeMutableRawBufferPointer(rebasing: memory[taken..<taken + size])
            }
            var loaded: [WeightComponent: UnsafeRawBufferPointer] = [:]
            for (component, size) in zip(components, sizes) {
                let bytes = take(size)
                if let others {
                    bytes.copyBytes(from: others[component] ?? [])
                } else if let part = parts.first(where: { $0.component == component }) {
                    try load(part, rows, into: bytes)
                }
                loaded[component] = UnsafeRawBufferPointer(bytes)
            }
            let bytes = take(4 * count)
            let values = bytes.bindMemory(to: Float.self)
            Kernels.dequantize(
                matrix.storage.numbers, source: matrix.scaleType, components: loaded, columns: matrix.columns,
                globalScale: globalScale, into: values)
            if let index = Kernels.firstNonFinite(in: UnsafeBufferPointer(values)) {
                let (row, column) = index.quotientAndRemainder(dividingBy: matrix.columns)
                throw QuernError(
                    .invalidInput, "the value at row \(rows.lowerBound + row), column \(column) is \(values[index])",
                    at: name, remedy: Self.remedy)
            }
            guard rounded > 0 else { return try body(UnsafeRawBufferPointer(bytes)) }
            let output = take(rounded)
            Kernels.encode(
                elementType, rows: UnsafeBufferPointer(values), columns: matrix.columns, importance: nil, into: output)
            return try body(UnsafeRawBufferPointer(output))
        }
    }

    private static func aligned(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }

    /// What some rows need of a component, as if the matrix began with them.
    private func load(_ part: Place, _ rows: Range<Int>, into bytes: UnsafeMutableRawBufferPointer) throws {
        if part.component == .scale, let oneScale {
            for index in bytes.indices { bytes[index] = oneScale[index % oneScale.count] }
            return
        }
        let step = matrix.storage.numbers.rowsPerRow(of: part.component)
        let (first, inFirst) = rows.lowerBound.quotientAndRemainder(dividingBy: step)
        try part.file.read(at: part.offset + UInt64(first * matrix.bytes(of: part.component, rows: 1)), into: bytes)
        guard part.component == .zeroPoint, inFirst > 0 else { return }
        // A word holds those of `step` rows.
        for start in stride(from: 0, to: bytes.count, by: 4) {
            let word = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self))
            bytes.storeBytes(of: (word >> (inFirst * 32 / step)).littleEndian, toByteOffset: start, as: UInt32.self)
        }
    }
}
