import QuernFormats
import QuernJobs
import QuernStore

/// Work items that find out what weights are rounded by, each once for all who ask, and what that costs.
struct FindingItems {
    private(set) var items: [PlannedItem] = []
    private let firstOrdinal: Int
    private let files: [SourceFile]
    private var factors: [Factor: Int] = [:]
    private var balances: [Balance: Int] = [:]
    private var scans: [Scan: Int] = [:]

    private static let buffers: Int64 = 8 << 20

    private struct Scan: Hashable {
        let tensors: [String]
        let group: Int?
        let input: StatisticsReference?
    }

    private struct Factor: Hashable {
        let input: StatisticsReference
        let balance: Int?
        let unit: Int
        let run: Int
    }

    private struct Balance: Hashable {
        let input: StatisticsReference
        let rule: BalanceWork.Rule
        let readers: [String]
        let encodings: [PartEncoding]
        let norm: String?
        let type: ElementType?
    }

    /// Weights that read an input, as an item that finds a balance of it is to see them.
    struct Reader {
        let tensor: SourceTensor
        /// The matrix that reads it, where a tensor has one for each expert; nil for all rows.
        let matrix: Int?
        let encoding: PartEncoding
    }

    /// A norm that makes an input, and what it will be stored as.
    struct NormWeight {
        let tensor: SourceTensor
        let type: ElementType
        let addend: Float
    }

    /// - Parameters:
    ///   - firstOrdinal: of the first item made here.
    ///   - files: that the extents of tensors mean.
    init(firstOrdinal: Int, files: [SourceFile]) {
        self.firstOrdinal = firstOrdinal
        self.files = files
    }

    /// - Parameters:
    ///   - balance: ordinal of the item by whose vector the input will be divided; nil for none.
    ///   - unit: neighbours that are to follow each other.
    ///   - run: neighbours within a unit that are to follow each other as they are.
    ///   - columns: of the widest block.
    /// - Returns: the ordinal of the item that factors the Gram matrix of an input.
    mutating func factor(
        _ input: StatisticsReference, balance: Int? = nil, unit: Int = 1, run: Int = 1, channels: Int, columns: Int
    ) -> Int {
        let key = Factor(input: input, balance: balance, unit: unit, run: run)
        if let known = factors[key] { return known }
        // Of the triangles of all blocks the values, as they lie in the file and in double precision, the panels and their
        // bytes; of one block the strips in which it is factored.
        let (block, values) = (Int64(columns), Int64(channels) * Int64(columns + 1) / 2)
        let memory = Self.buffers + 2 * Int64(maximumBlobBytes) + 20 * values + 2 * block * (block + 200)
        let expert = input.matrix > 0 ? " of expert \(input.matrix)" : ""
        return add(
            PlannedItem(
                payload: .factor(FactorWork(input: input, balance: balance, unit: unit, run: run, memory: memory)),
                cost: max(1, 8 * values),
                memory: memory, dependencies: [input.merged] + (balance.map { [$0] } ?? []),
                label: "factor inputs\(expert) of \(input.tensor)"), to: \.factors, key)
    }

    /// - Parameters:
    ///   - columns: of the widest block of the Gram matrix.
    /// - Returns: the ordinal of the item that finds by what the channels of an input are divided.
    /// - Throws: `.invalidInput` where extents do not hold what a shape says.
    mutating func balance(
        _ input: StatisticsReference, _ rule: BalanceWork.Rule, readers: [Reader], norm: NormWeight?, columns: Int
    ) throws -> Int {
        let key = Balance(
            input: input, rule: rule, readers: readers.map { "\($0.tensor.name) \($0.matrix ?? 0)" },
            encodings: readers.map(\.encoding), norm: norm?.tensor.name, type: norm?.type)
        if let known = balances[key] { return known }
        var used = ItemFiles()
        let spans = try readers.map {
            BalanceWork.Reader(span: try span(of: $0.tensor, matrix: $0.matrix, &used), encoding: $0.encoding)
        }
        let factors = try norm.map {
            BalanceWork.Norm(span: try span(of: $0.tensor, matrix: nil, &used), type: $0.type, addend: $0.addend)
        }
        let channels = Int64(readers.first?.tensor.columns ?? 1)
        // The values of the file, a block in double and all in single precision, and of 256 rows of each weight what they
        // are, what they become and how they differ.
        let memory =
            Self.buffers + 2 * Int64(maximumBlobBytes)
            + (rule == .search ? channels * Int64(columns) * 16 + 8 * Int64(columns) * Int64(columns) : 0)
            + channels * 4 * (256 * Int64(readers.count) + 128 * 20)
        let work = BalanceWork(
            files: used.chosen(from: files), input: input, rule: rule, readers: spans, norm: factors, memory: memory)
        let read = readers.reduce(Int64(0)) { $0 + Int64(clamping: $1.tensor.elements) }
        let search = rule == .search ? 64 * channels * Int64(columns) * Int64(readers.count) : 0
        let expert = input.matrix > 0 ? " of expert \(input.matrix)" : ""
        return add(
            PlannedItem(
                payload: .balance(work), cost: max(1, read + search), memory: memory, dependencies: [input.merged],
                label: "balance inputs\(expert) of \(input.tensor)"), to: \.balances, key)
    }

    /// All rows of a tensor.
    /// - Parameter used: files of the item, to which those of the tensor are added.
    func span(of tensor: SourceTensor, outputs: [EncodeOutput], _ used: inout ItemFiles) throws -> Span {
        var span = try span(of: tensor, matrix: nil, &used)
        span.outputs = outputs
        return span
    }

    /// - Parameter used: files of the item, to which those of the tensor are added.
    private func span(of tensor: SourceTensor, matrix: Int?, _ used: inout ItemFiles) throws -> Span {
        var cursor = TensorCursor(tensor)
        let rowBytes = UInt64(tensor.type.bytes(elements: tensor.columns) ?? 0)
        let rows = matrix == nil ? tensor.rows : tensor.rowsPerMatrix
        let first = (matrix ?? 0) * rows
        let taken: (extents: [Extent], scales: [Extent])
        do throws(QuernError) {
            _ = try cursor.take(UInt64(first) * rowBytes)
            taken = try cursor.take(UInt64(rows) * rowBytes)
        } catch {
            throw error.located(in: tensor.name)
        }
        return Span(
            tensor: tensor.name, extents: taken.extents.map { used.localized($0) },
            scales: taken.scales.map { used.localized($0) }, sourceType: tensor.type, columns: tensor.columns,
            rows: rows, firstRow: first, addend: tensor.addend, outputs: [])
    }

    /// - Parameter group: whose largest magnitudes are averaged; nil for none.
    /// - Returns: the ordinal of the item that looks at the magnitudes of weights, and of their input.
    /// - Throws: `.invalidInput` where extents do not hold what a shape says.
    mutating func scan(_ tensors: [SourceTensor], group: Int? = nil, input: StatisticsReference? = nil) throws -> Int {
        let key = Scan(tensors: tensors.map(\.name), group: group, input: input)
        if let known = scans[key] { return known }
        var used = ItemFiles()
        let spans = try tensors.map { try span(of: $0, matrix: nil, &used) }
        let bytes = tensors.reduce(0) { $0 + $1.extents.reduce(0) { $0 + $1.length } }
        let memory = Self.buffers + (input == nil ? 0 : 2 * Int64(maximumBlobBytes))
        let work = ScanWork(files: used.chosen(from: files), spans: spans, group: group, input: input, memory: memory)
        return add(
            PlannedItem(
                payload: .scan(work), cost: Int64(clamping: max(bytes, 1)), memory: memory,
                dependencies: input.map { [$0.merged] } ?? [],
                label: "scan \(tensors.map(\.name).joined(separator: ", "))"), to: \.scans, key)
    }

    /// - Returns: its ordinal.
    mutating func add(_ item: PlannedItem) -> Int {
        items.append(item)
        return firstOrdinal + items.count - 1
    }

    private mutating func add<Key: Hashable>(
        _ item: PlannedItem, to known: WritableKeyPath<FindingItems, [Key: Int]>, _ key: Key
    ) -> Int {
        let ordinal = add(item)
        self[keyPath: known][key] = ordinal
        return ordinal
    }
}
