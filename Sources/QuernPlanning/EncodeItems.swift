import QuernFormats
import QuernJobs
import QuernStore

/// A tensor and everything that any target wants it encoded to.
struct TensorEncodings {
    let tensor: SourceTensor
    let ranges: [RowRange]
    /// Distinct, in ascending order of encoding, without an importance matrix first.
    let outputs: [EncodeOutput]
    /// For each output, where the tensor begins in the artifacts that want it.
    private(set) var places: [[Place]]

    struct Place {
        let file: PlannedArtifact.File
        let offset: UInt64
    }

    /// - Parameter wanted: what the targets want, repeats included.
    init(tensor: SourceTensor, ranges: [RowRange], wanted: [EncodeOutput]) {
        self.tensor = tensor
        self.ranges = ranges
        var distinct: [EncodeOutput] = []
        for output in wanted where !distinct.contains(output) { distinct.append(output) }
        outputs = distinct.sorted { $0.place < $1.place }
        places = Array(repeating: [], count: outputs.count)
    }

    /// Index of an encoding among the outputs.
    func index(of wanted: EncodeOutput) -> Int? { outputs.firstIndex(of: wanted) }

    /// Notes that an artifact has the tensor, encoded as `wanted`, at `place`.
    mutating func add(_ place: Place, of wanted: EncodeOutput) {
        if let index = index(of: wanted) { places[index].append(place) }
    }
}

extension EncodeOutput {
    /// Where it comes among the outputs of a span.
    fileprivate var place: (UInt32, String, Int, String) {
        let isWeighted = importance == nil ? 0 : 1
        let rescaled = rescalings.map { "\($0.item)" }.joined(separator: " ")
        switch encoding {
        case .blocks(let type):
            let factors = refinement?.factors.map(String.init).joined(separator: " ") ?? ""
            return (type.rawValue, factors, isWeighted, rescaled)
        case .component(let component, let weight):
            let rounding = weight.rounding
            let method = "\(rounding.searches) \(rounding.factor ?? -1)"
            let storage = "\(weight.storage.numbers) \(weight.storage.layout)"
            return (.max, "\(storage) \(method) \(component.rawValue)", isWeighted, rescaled)
        }
    }
}

extension Rescaling {
    fileprivate func touches(_ rows: Range<Int>, columns: Int) -> Bool {
        let unit = kind == .elements ? columns : 1
        return (rows.lowerBound * unit..<rows.upperBound * unit).overlaps(first..<first + count)
    }
}

extension PartEncoding {
    /// Whether the part of a span that begins at a row holds anything of it: what there is one of goes with the first.
    fileprivate func isMade(firstRow: Int) -> Bool {
        if case .component(let component, _) = self { component.hasRows || firstRow == 0 } else { true }
    }

    /// Items whose results it takes.
    fileprivate var items: [Int] { if case .component(_, let weight) = self { weight.rounding.items } else { [] } }

    /// Bytes that a worker takes for rows of the weights beside what it reads and writes.
    /// - Parameter isRefined: whether the columns of blocks make good each other's errors.
    fileprivate func workingMemory(rows: Int, columns: Int, isRefined: Bool) -> Int {
        // Of 128 rows: as they are and transposed, their differences, codes and scales; and the factor, once in bytes.
        let (fitted, factor) = (128 * columns * 16, 4 * columns * (columns + 256))
        guard case .component(_, let weight) = self else { return isRefined ? fitted + (256 << 10) + factor : 0 }
        // What is transposed is kept until all of it is there, and kept again in its new order.
        let transposed = weight.storage.isTransposed ? 4 * rows * columns : 0
        guard weight.rounding.searches else { return transposed }
        return transposed + fitted + (weight.rounding.factor == nil ? 0 : factor)
    }
}

/// Packs spans into work items: each span of each tensor once, small tensors together.
struct EncodeItems {
    private(set) var items: [PlannedItem] = []
    /// For every tensor and each of its outputs, the parts in order of rows.
    private(set) var parts: [[[PartReference]]]
    /// Bytes of the largest part.
    private(set) var largestPart = 0

    private let files: [SourceFile]
    private let firstOrdinal: Int
    private let targetBytes: Int
    private var open = OpenItem()

    private struct OpenItem {
        var spans: [Span] = []
        var files = ItemFiles()
        var artifacts: [PlannedArtifact.File] = []
        var sourceBytes = 0
        var cost = 0
        var memory = 0
        var parts = 0
        /// Items whose results it takes.
        var needed: Set<Int> = []
    }

    /// - Parameter firstOrdinal: of the first item made here.
    /// - Throws: `QuernError` `.invalidInput` where extents do not hold what a shape says.
    init(_ encodings: [TensorEncodings], files: [SourceFile], cutter: SpanCutter, firstOrdinal: Int) throws {
        self.files = files
        self.firstOrdinal = firstOrdinal
        targetBytes = cutter.targetBytes
        parts = encodings.map { Array(repeating: [], count: $0.outputs.count) }
        for (index, encoding) in encodings.enumerated() {
            var cursor = TensorCursor(encoding.tensor)
            for range in encoding.ranges {
                do {
                    try add(range, of: encoding, at: index, from: &cursor)
                } catch let error as QuernError {
                    throw error.located(in: encoding.tensor.name)
                }
            }
        }
        close()
    }

    private mutating func add(
        _ range: RowRange, of encoding: TensorEncodings, at index: Int, from cursor: inout TensorCursor
    ) throws {
        let tensor = encoding.tensor
        let columns = tensor.columns
        let elements = columns * range.count
        guard let sourceBytes = tensor.type.bytes(elements: elements) else {
            throw QuernError(.invalidInput, "\(elements) elements are not a whole number of \(tensor.type)'s blocks")
        }
        if !open.spans.isEmpty, open.sourceBytes + sourceBytes > targetBytes { close() }
        let (extents, scales) = try cursor.take(UInt64(sourceBytes))
        let made = encoding.outputs.indices.filter { encoding.outputs[$0].encoding.isMade(firstRow: range.first) }
        open.spans.append(
            Span(
                tensor: tensor.name, extents: extents.map { open.files.localized($0) },
                scales: scales.map { open.files.localized($0) },
                sourceType: tensor.type, columns: columns, rows: range.count, firstRow: range.first,
                addend: tensor.addend,
                outputs: made.map { placed(encoding, $0, rows: range) }))
        var largest = 0
        var importance = 0
        var fitting = 0
        for output in made {
            let wanted = encoding.outputs[output]
            let bytes = wanted.encoding.bytes(rows: range.count, columns: columns) ?? 0
            largest = max(largest, bytes)
            if let vectors = wanted.importance {
                importance = max(importance, vectors.firstMatrix + tensor.rows / vectors.rowsPerMatrix)
                if case .merged(let item, _) = vectors.vectors { open.needed.insert(item) }
            }
            open.needed.formUnion(wanted.encoding.items)
            open.needed.formUnion(wanted.refinement?.items(of: range.first..<range.first + range.count) ?? [])
            let rescaled = wanted.rescalings.isEmpty ? 0 : 4 * elements
            let working = wanted.encoding.workingMemory(
                rows: range.count, columns: columns, isRefined: wanted.refinement != nil)
            // Refined outputs are under way at once, each with a factor of its own.
            fitting = wanted.refinement == nil ? max(fitting, working + rescaled) : fitting + working + rescaled
            open.cost += bytes
            parts[index][output].append(PartReference(ordinal: firstOrdinal + items.count, index: open.parts))
            open.parts += 1
        }
        largestPart = max(largestPart, largest)
        open.sourceBytes += sourceBytes
        open.cost += sourceBytes
        // What is read, the same in F32, one part and its compressed form, and the importance vectors.
        open.memory = max(open.memory, sourceBytes + 4 * elements + 2 * largest + 4 * importance * columns + fitting)
    }

    /// An output with the places of its part, and what is done to values of the part.
    private mutating func placed(_ encoding: TensorEncodings, _ output: Int, rows: RowRange) -> EncodeOutput {
        var wanted = encoding.outputs[output]
        let columns = encoding.tensor.columns
        let before = rows.first == 0 ? 0 : UInt64(wanted.encoding.bytes(rows: rows.first, columns: columns) ?? 0)
        let count = wanted.encoding.lines(columns: columns)
        let lines = count.map { count in
            func line(_ rows: Int) -> UInt64 {
                UInt64((wanted.encoding.bytes(rows: rows, columns: columns) ?? 0) / count)
            }
            return PartPlace.Lines(length: line(rows.count), stride: line(encoding.tensor.rows))
        }
        wanted.rescalings.removeAll { !$0.touches(rows.first..<rows.first + rows.count, columns: columns) }
        let places = encoding.places[output].map { place in
            let file = open.artifacts.firstIndex(of: place.file) ?? open.artifacts.count
            if file == open.artifacts.count { open.artifacts.append(place.file) }
            return PartPlace(
                file: file, offset: place.offset + before / UInt64(count ?? 1), lines: lines)
        }
        wanted.places = places
        open.needed.formUnion(wanted.rescalings.map(\.item))
        return wanted
    }

    private mutating func close() {
        guard let first = open.spans.first, let last = open.spans.last else { return }
        let work = EncodeWork(
            files: open.files.chosen(from: files), artifacts: open.artifacts, spans: open.spans,
            encoder: EncoderVersion.reference)
        let label =
            first.tensor == last.tensor
            ? "\(first.tensor) rows \(first.firstRow)–\(last.firstRow + last.rows - 1)"
            : "\(first.tensor) … \(last.tensor)"
        items.append(
            PlannedItem(
                payload: .encode(work), cost: Int64(max(open.cost, 1)), memory: Int64(open.memory),
                dependencies: open.needed.sorted(), label: label))
        open = OpenItem()
    }
}
