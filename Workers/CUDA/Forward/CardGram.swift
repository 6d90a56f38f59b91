import QuernCUDA
import QuernModel
import QuernPlanning
import Synchronization

/// XᵀX on a card: products by cuBLASLt, whose blocks lie there as whole squares in double precision.
///
/// One lane at a time adds chunks, in their order, also those that others brought; rows that come too early are kept.
final class CardGram: GramSums {
    private struct State {
        /// Rows by chunk; nil for a chunk without any.
        var waiting: [Int: KeptRows?] = [:]
        var next = 0
        var isBusy = false

        /// The chunk that comes next, where it is there and nobody is at it.
        mutating func take() -> KeptRows?? {
            guard !isBusy, let rows = waiting.removeValue(forKey: next) else { return nil }
            isBusy = true
            return .some(rows)
        }

        mutating func finish() {
            next += 1
            isBusy = false
        }

        /// Chunks that are not there will not come any more.
        mutating func closeGaps() {
            guard let last = waiting.keys.max() else { return }
            for chunk in next..<max(next, last) where waiting[chunk] == nil {
                waiting.updateValue(nil, forKey: chunk)
            }
        }
    }

    private struct KeptRows: Sendable {
        let values: CardValues
        let count: Int
    }

    private let layout: GramLayout
    private let engine: CardForwardEngine
    /// A square for each block.
    private let sums: [CardValues]
    private let state = Mutex(State())

    /// Rows whose products are added up in single precision.
    private static let pieceRows = 512

    init(_ layout: GramLayout, _ engine: CardForwardEngine, _ lane: CardForwardLane) throws {
        (self.layout, self.engine) = (layout, engine)
        sums = try layout.blocks.map { try engine.pool.take(2 * $0.count * $0.count) }
        for (block, columns) in zip(sums, layout.blocks) {
            try lane.clear(block.base, count: 2 * columns.count * columns.count)
        }
        // Other lanes add to them.
        try lane.finish()
    }

    func add(_ rows: ObservedRows, chunk: Int) throws {
        let lane: CardForwardLane = try rows.lane.own(rows.lane)
        var kept: KeptRows?
        if rows.count > 0 {
            let copy = try engine.pool.take(rows.count * rows.channels)
            try lane.copy(
                Rows(base: rows.values, stride: rows.channels),
                to: Rows(base: copy.base, stride: rows.channels), width: rows.channels, count: rows.count)
            try lane.finish()
            kept = KeptRows(values: copy, count: rows.count)
        }
        state.withLock { _ = $0.waiting.updateValue(kept, forKey: chunk) }
        try work(lane)
    }

    func finish() throws -> [Double] {
        let lane = try CardForwardLane(engine)
        state.withLock { $0.closeGaps() }
        try work(lane)
        var values: [Double] = []
        values.reserveCapacity(layout.values)
        for (block, columns) in zip(sums, layout.blocks) {
            let width = columns.count
            try lane.read(block.base, count: 2 * width * width) { floats in
                let square = UnsafeRawBufferPointer(floats).bindMemory(to: Double.self)
                for row in 0..<width { values += square[row * width + row..<(row + 1) * width] }
            }
        }
        return values
    }

    private func work(_ lane: CardForwardLane) throws {
        while let rows = state.withLock({ $0.take() }) {
            if let rows {
                try withExtendedLifetime(rows.values) {
                    try add(rows, lane)
                    // The next chunk may be another lane's, and the rows go.
                    try lane.finish()
                }
            }
            state.withLock { $0.finish() }
        }
    }

    private func add(_ rows: KeptRows, _ lane: CardForwardLane) throws {
        for (block, columns) in zip(sums, layout.blocks) {
            let width = columns.count
            let products = try lane.take(.products, width * width)
            for first in stride(from: 0, to: rows.count, by: Self.pieceRows) {
                let values = rows.values.base + first * layout.channels + columns.lowerBound
                let shape = ProductShape(
                    rows: width, columns: width, inner: min(Self.pieceRows, rows.count - first), operand: .float,
                    transposesA: true, transposesB: false, a: .init(row: layout.channels),
                    b: .init(row: layout.channels), alignment: CardForwardLane.alignment(of: values.cardAddress))
                try lane.multiply(
                    shape, a: values.cardAddress, b: values.cardAddress, c: products.cardAddress)
                try lane.launch(.addProducts, columns: width * width) {
                    $0.append(products.cardAddress)
                    $0.append(block.base.cardAddress)
                    $0.append(UInt64(width * width))
                }
            }
        }
    }
}

extension CardForwardLane {
    func makeGram(_ layout: GramLayout) throws -> any GramSums { try CardGram(layout, engine, self) }
}
