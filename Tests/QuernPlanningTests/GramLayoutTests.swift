import QuernPlanning
import Testing

struct GramLayoutTests {
    @Test(
        arguments: [
            (5, 8192, [5], 15), (8192, 8192, [8192], 33_558_528), (5, 2, [2, 2, 1], 7), (6, 4, [3, 3], 12),
            (1, 1, [1], 1), (7, 1, [1, 1, 1, 1, 1, 1, 1], 7),
            // Whole groups of 256, or of 128, where they fit.
            (14336, 8192, [7168, 7168], 51_387_392), (14400, 8192, [7424, 6976], 51897376),
            (300, 128, [128, 128, 44], 17_502), (300, 140, [128, 128, 44], 17_502),
            (300, 110, [100, 100, 100], 15_150), (5, 0, [1, 1, 1, 1, 1], 5),
        ] as [(Int, Int, [Int], Int)])
    func blocks(channels: Int, widest: Int, widths: [Int], values: Int) {
        let layout = GramLayout(channels: channels, widest: widest)
        #expect(layout.blocks.map(\.count) == widths && layout.values == values)
        #expect(layout.blocks.first?.lowerBound == 0 && layout.blocks.last?.upperBound == channels)
        #expect(layout.isWhole == (widths.count == 1))
        #expect(GramLayout(channels: channels, blockColumns: layout.blockColumns) == layout)
    }

    @Test(arguments: [(5, 0), (5, 6), (5, -1), (1 << 30, GramLayout.maximumColumns + 1)])
    func columnsOutOfRange(channels: Int, columns: Int) {
        #expect(GramLayout(channels: channels, blockColumns: columns) == nil)
    }
}
