import QuernFormats
import QuernJobs
import QuernStore

/// Work items that find out what weights are rounded by, each once for all who ask.
struct FindingItems {
    private(set) var items: [PlannedItem] = []
    private let firstOrdinal: Int
    private let files: [SourceFile]
    private var factors: [StatisticsReference: Int] = [:]
    private var scans: [Scan: Int] = [:]

    private static let buffers: Int64 = 8 << 20

    private struct Scan: Hashable {
        let tensors: [String]
        let input: StatisticsReference?
    }

    /// - Parameters:
    ///   - firstOrdinal: of the first item made here.
    ///   - files: that the extents of tensors mean.
    init(firstOrdinal: Int, files: [SourceFile]) {
        self.firstOrdinal = firstOrdinal
        self.files = files
    }

    /// - Parameter columns: of the widest block.
    /// - Returns: the ordinal of the item that factors the Gram matrix of an input.
    mutating func factor(_ input: StatisticsReference, channels: Int, columns: Int) -> Int {
        if let known = factors[input] { return known }
        // The values of the file, a block in double precision twice, all panels twice.
        let (block, values) = (Int64(columns), Int64(channels) * Int64(columns))
        let memory = Self.buffers + 2 * Int64(maximumBlobBytes) + 16 * block * (block + 40) + 12 * values
        let expert = input.matrix > 0 ? " of expert \(input.matrix)" : ""
        return add(
            PlannedItem(
                payload: .factor(FactorWork(input: input, memory: memory)), cost: max(1, 8 * values), memory: memory,
                dependencies: [input.merged], label: "factor inputs\(expert) of \(input.tensor)"), to: \.factors, input)
    }

    /// - Returns: the ordinal of the item that finds the largest magnitudes of weights, and of their input.
    mutating func scan(_ tensors: [SourceTensor], input: StatisticsReference?) -> Int {
        let key = Scan(tensors: tensors.map(\.name), input: input)
        if let known = scans[key] { return known }
        var used: [Int] = []
        let spans = tensors.map { tensor in
            Span(
                tensor: tensor.name,
                extents: tensor.extents.map { extent in
                    extent.mapFiles { file in
                        let local = used.firstIndex(of: file) ?? used.count
                        if local == used.count { used.append(file) }
                        return local
                    }
                }, scales: [], sourceType: tensor.type, columns: tensor.columns, rows: tensor.rows, firstRow: 0,
                outputs: [])
        }
        let bytes = tensors.reduce(0) { $0 + $1.extents.reduce(0) { $0 + $1.length } }
        let memory = Self.buffers + (input == nil ? 0 : 2 * Int64(maximumBlobBytes))
        let work = ScanWork(files: used.map { files[$0] }, spans: spans, input: input, memory: memory)
        return add(
            PlannedItem(
                payload: .scan(work), cost: Int64(clamping: max(bytes, 1)), memory: memory,
                dependencies: input.map { [$0.merged] } ?? [],
                label: "scan \(tensors.map(\.name).joined(separator: ", "))"), to: \.scans, key)
    }

    private mutating func add<Key: Hashable>(
        _ item: PlannedItem, to known: WritableKeyPath<FindingItems, [Key: Int]>, _ key: Key
    ) -> Int {
        let ordinal = firstOrdinal + items.count
        self[keyPath: known][key] = ordinal
        items.append(item)
        return ordinal
    }
}
