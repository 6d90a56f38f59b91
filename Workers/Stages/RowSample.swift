import QuernFormats
import QuernJobs
import QuernKernels
import QuernStore

/// Some rows of a weight, enough to see what rounding does to its columns.
struct RowSample {
    static let rows = 256

    /// [rows, columns].
    let values: [Float]
    let columns: Int
    private let encoding: PartEncoding

    /// Reads runs of rows at equal distances.
    /// - Throws: what reading throws; `.invalidInput` where a value is not finite.
    init(_ reader: BalanceWork.Reader, from source: SpanReader, _ scratch: Scratch) throws {
        let span = reader.span
        var values: [Float] = []
        for range in Self.ranges(of: span.rows, multiple: reader.encoding.rowMultiple) {
            try source.decode(range, of: span, scratch) { values.append(contentsOf: $0) }
        }
        self.values = values
        columns = span.columns
        encoding = reader.encoding
    }

    /// Runs at equal distances: all rows, or at most so many.
    /// - Parameters:
    ///   - most: at least 32, and no less than `multiple`.
    ///   - multiple: runs begin at multiples of it; it divides `most`.
    static func ranges(of count: Int, most: Int = rows, multiple: Int = 1) -> [Range<Int>] {
        guard count > most else { return [0..<count] }
        let length = max(32, multiple)
        let runs = most / length
        return (0..<runs).map { run in
            let start = (count - length) * run / max(runs - 1, 1) / multiple * multiple
            return start..<start + length
        }
    }

    /// Adds |w| / the largest |w| of its group to a sum for each column.
    func addShares(to sums: inout [Double]) {
        let group = encoding.group ?? columns
        for row in stride(from: 0, to: values.count, by: columns) {
            for first in stride(from: 0, to: columns, by: group) {
                let range = first..<min(first + group, columns)
                let largest = range.reduce(Float(0)) { max($0, values[row + $1].magnitude) }
                guard largest > 0 else { continue }
                for column in range { sums[column] += Double(values[row + column].magnitude / largest) }
            }
        }
    }

    /// What rounding does to the outputs of the layer, squared, where columns are multiplied by s before it: tr(ΔHΔᵀ),
    /// Δ = round(W·s)/s − W.
    /// - Parameters:
    ///   - balance: s.
    ///   - importance: a value for each column as it is in the source; nil where all matter alike.
    ///   - gram: the blocks of H along its diagonal, each in full with its columns.
    func loss(
        _ balance: [Float], importance: [Float]?, gram: [(columns: Range<Int>, values: [Float])], _ scratch: Scratch
    ) throws -> Double {
        let importance = importance.map { importance in
            zip(importance, balance).map { $0 / ($1 * $1) }
        }
        var loss = 0.0
        let step = Kernels.fittedRows * columns
        for start in stride(from: 0, to: values.count, by: step) {
            let chunk = values[start..<min(start + step, values.count)]
            let scaled = try scratch.values.floats(chunk.count)
            for index in 0..<chunk.count { scaled[index] = chunk[start + index] * balance[index % columns] }
            let rounded = try scratch.decoded.floats(chunk.count)
            try encoding.round(UnsafeBufferPointer(scaled), columns: columns, importance: importance, rounded, scratch)
            for index in 0..<chunk.count {
                rounded[index] = rounded[index] / balance[index % columns] - chunk[start + index]
            }
            loss += try Self.squares(UnsafeBufferPointer(rounded), columns: columns, gram: gram, scratch)
        }
        return loss
    }

    /// dᵀHd, added up over rows d.
    /// - Parameter gram: as for `loss`.
    static func squares(
        _ differences: UnsafeBufferPointer<Float>, columns: Int, gram: [(columns: Range<Int>, values: [Float])],
        _ scratch: Scratch
    ) throws -> Double {
        let lanes = Kernels.quadraticLanes
        let rows = differences.count / columns
        let memory = try scratch.rescaled.floats(2 * columns * lanes)
        let tile = UnsafeMutableBufferPointer(rebasing: memory[..<(columns * lanes)])
        let products = UnsafeMutableBufferPointer(rebasing: memory[(columns * lanes)...])
        var sums = [Double](repeating: 0, count: lanes)
        for first in stride(from: 0, to: rows, by: lanes) {
            for lane in 0..<lanes {
                let row = first + lane
                for column in 0..<columns {
                    tile[column * lanes + lane] = row < rows ? differences[row * columns + column] : 0
                }
            }
            for block in gram {
                let range = block.columns.lowerBound * lanes..<block.columns.upperBound * lanes
                block.values.withUnsafeBufferPointer {
                    Kernels.addQuadratic(
                        matrix: $0, values: UnsafeBufferPointer(rebasing: tile[range]), scratch: products, to: &sums)
                }
            }
        }
        return sums.reduce(0, +)
    }
}

extension PartEncoding {
    /// Rows that share a scale.
    fileprivate var rowMultiple: Int {
        if case .component(_, let weight) = self { weight.storage.numbers.rowMultiple } else { 1 }
    }

    /// Columns that share a scale; nil for all of a row.
    fileprivate var group: Int? {
        switch self {
        case .blocks(let type): min(type.blockSize, 32)
        case .component(_, let weight): weight.storage.numbers.group
        }
    }

    /// What rows become, as whoever reads the artifact sees them.
    /// - Parameter values: at most `Kernels.fittedRows` rows.
    fileprivate func round(
        _ values: UnsafeBufferPointer<Float>, columns: Int, importance: [Float]?,
        _ rounded: UnsafeMutableBufferPointer<Float>, _ scratch: Scratch
    ) throws {
        let rows = values.count / columns
        switch self {
        case .blocks(let type):
            let encoded = try scratch.encoded.bytes(rows * (type.bytes(elements: columns) ?? 0))
            if let importance, type.usesImportance {
                importance.withUnsafeBufferPointer {
                    Kernels.encode(type, rows: values, columns: columns, importance: $0, into: encoded)
                }
            } else {
                Kernels.encode(type, rows: values, columns: columns, importance: nil, into: encoded)
            }
            Kernels.decode(type, bytes: UnsafeRawBufferPointer(encoded), into: rounded)
        case .component(_, let weight):
            let outputs = try weight.memory(rows: rows, columns: columns, scratch)
            let room = Kernels.fittingScratch(weight.storage.numbers, source: weight.scaleType, columns: columns)
            Kernels.fit(
                weight.storage.numbers, source: weight.scaleType, rows: values, columns: columns,
                importance: importance, scratch: try scratch.working.floats(room), into: outputs)
            Kernels.dequantize(
                weight.storage.numbers, source: weight.scaleType,
                components: outputs.mapValues { UnsafeRawBufferPointer($0) }, columns: columns, into: rounded)
        }
    }
}

extension SpanReader {
    /// Decodes rows, a piece of them at a time.
    /// - Parameter body: is given whole rows.
    /// - Throws: what reading throws; `.invalidInput` where a value is not finite.
    func decode(
        _ rows: Range<Int>, of span: Span, _ scratch: Scratch, body: (UnsafeBufferPointer<Float>) throws -> Void
    ) throws {
        let rowBytes = count / span.rows
        let step = max(1, (128 << 10) / span.columns)
        for first in stride(from: rows.lowerBound, to: rows.upperBound, by: step) {
            let some = min(step, rows.upperBound - first)
            let bytes = try scratch.source.bytes(some * rowBytes)
            try read(at: first * rowBytes, into: bytes)
            let values = try scratch.values.floats(some * span.columns)
            Kernels.decode(span.sourceType, bytes: UnsafeRawBufferPointer(bytes), adding: span.addend, into: values)
            guard Kernels.firstNonFinite(in: UnsafeBufferPointer(values)) == nil else {
                throw QuernError(
                    .invalidInput, "it holds values that are not finite", at: span.tensor,
                    remedy: "The checkpoint is damaged there: download or export it again")
            }
            try body(UnsafeBufferPointer(values))
        }
    }
}
