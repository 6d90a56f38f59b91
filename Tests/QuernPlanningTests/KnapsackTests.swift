import QuernPlanning
import TestSupport
import Testing

/// Choices that fit a size and cost little.
struct KnapsackTests {
    private static func sum(_ items: [[Knapsack.Choice]], _ chosen: [Int]) -> (bytes: UInt64, cost: Double) {
        zip(items, chosen).reduce((0, 0)) { ($0.0 + $1.0[$1.1].bytes, $0.1 + $1.0[$1.1].cost) }
    }

    @Test(
        arguments: [(0, nil), (2, nil), (3, [0, 0]), (4, [0, 1]), (6, [1, 1]), (8, [1, 2]), (100, [1, 2])]
            as [(UInt64, [Int]?)])
    func knownCases(budget: UInt64, expected: [Int]?) {
        let items: [[Knapsack.Choice]] = [
            [.init(bytes: 1, cost: 10), .init(bytes: 3, cost: 4)],
            [.init(bytes: 2, cost: 20), .init(bytes: 3, cost: 5), .init(bytes: 5, cost: 1)],
        ]
        #expect(Knapsack.choose(items, budget: budget) == expected)
    }

    /// What costs more bytes and no less is never taken, in whatever order choices come.
    @Test func uselessChoices() {
        let items: [[Knapsack.Choice]] = [
            [.init(bytes: 9, cost: 3), .init(bytes: 1, cost: 3), .init(bytes: 5, cost: 3)],
            [.init(bytes: 4, cost: 0), .init(bytes: 2, cost: 0)],
        ]
        #expect(Knapsack.choose(items, budget: 50) == [1, 1])
    }

    /// At every size of the path, what is on it is what is chosen, and each exchange saves less for a byte than the last.
    @Test(arguments: 0..<10)
    func pathsAreChoices(seed: Int) throws {
        var draw = SeededGenerator(seed: UInt64(seed) + 11)
        let items = (0..<6).map { _ in
            (0..<5).map { step in
                Knapsack.Choice(
                    bytes: UInt64(10 * step) + UInt64.random(in: 1...9, using: &draw),
                    cost: Double.random(in: 0.5...1, using: &draw) * [100, 30, 8, 2, 1][step])
            }
        }
        let (smallest, exchanges) = Knapsack.path(items)
        var chosen = smallest
        var last = Double.infinity
        #expect(exchanges.count > 12)
        for exchange in exchanges {
            let before = Self.sum(items, chosen)
            chosen[exchange.item] = exchange.choice
            let after = Self.sum(items, chosen)
            #expect(Knapsack.choose(items, budget: after.bytes) == chosen)
            let gain = (before.cost - after.cost) / Double(after.bytes - before.bytes)
            #expect(gain <= last + 1e-9)
            last = gain
        }
    }

    /// Never over the size, never with an exchange left that fits and saves, and close to the best there is.
    @Test(arguments: 0..<40)
    func holdsAgainstTryingAll(seed: Int) throws {
        var draw = SeededGenerator(seed: UInt64(seed) + 77)
        let items = (0..<5).map { _ in
            (0..<4).map { step in
                Knapsack.Choice(
                    bytes: UInt64(10 * step) + UInt64.random(in: 1...9, using: &draw),
                    cost: Double.random(in: 0.5...1, using: &draw) * [100, 30, 8, 2][step])
            }
        }
        let all = (0..<1024).map { number in (0..<5).map { number >> (2 * $0) & 3 } }
        let budget = UInt64.random(in: 5...200, using: &draw)
        let best = all.map { Self.sum(items, $0) }.filter { $0.bytes <= budget }.map(\.cost).min()
        let chosen = Knapsack.choose(items, budget: budget)
        #expect((chosen == nil) == (best == nil))
        guard let chosen, let best else { return }
        let (bytes, cost) = Self.sum(items, chosen)
        #expect(bytes <= budget && cost >= best)
        for item in items.indices {
            for choice in items[item].indices {
                var other = chosen
                other[item] = choice
                let sum = Self.sum(items, other)
                #expect(sum.bytes > budget || sum.cost >= cost)
            }
        }
        // Being greedy misses at most what the last exchange would have saved.
        let largest = items.map { $0.map(\.cost).max() ?? 0 }.max() ?? 0
        #expect(cost <= best + largest)
    }
}
