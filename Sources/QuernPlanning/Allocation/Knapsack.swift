/// One choice for each of some items, so that all fit a size and cost little.
package enum Knapsack {
    package struct Choice: Equatable {
        package let bytes: UInt64
        package let cost: Double
        package init(bytes: UInt64, cost: Double) {
            self.bytes = bytes
            self.cost = cost
        }
    }

    /// The exchange of an item's choice for another.
    package struct Exchange: Equatable {
        package let item: Int
        package let choice: Int
    }

    /// Every item begins with its smallest choice. Then, as long as one fits, the exchange is made that saves most for each
    /// byte: first along the path, where being greedy is best but for the last exchange (Dantzig, "Discrete-Variable
    /// Extremum Problems", 1957), then, to fill what is left, between any.
    /// - Parameters:
    ///   - items: none without choices.
    ///   - budget: bytes of all choices together.
    /// - Returns: an index for each item; nil where not even the smallest choices fit. Equal input gives equal choices.
    package static func choose(_ items: [[Choice]], budget: UInt64) -> [Int]? {
        let path = path(items)
        var chosen = path.smallest
        let smallest = zip(items, chosen).reduce(UInt64(0)) { $0 + $1.0[$1.1].bytes }
        guard smallest <= budget else { return nil }
        var left = budget - smallest
        var isFull = [Bool](repeating: false, count: items.count)
        for exchange in path.exchanges where !isFull[exchange.item] {
            let item = items[exchange.item]
            let more = item[exchange.choice].bytes - item[chosen[exchange.item]].bytes
            guard more <= left else {
                isFull[exchange.item] = true
                continue
            }
            left -= more
            chosen[exchange.item] = exchange.choice
        }
        while let best = best(items, chosen, left) {
            left -= items[best.item][best.choice].bytes - items[best.item][chosen[best.item]].bytes
            chosen[best.item] = best.choice
        }
        return chosen
    }

    /// The exchanges between neighbours on the lower convex hulls of the items' choices, those first that save most for
    /// each byte: at every size that they come to, what `choose` would choose for it.
    /// - Returns: the smallest choice of each item, and what comes after it.
    package static func path(_ items: [[Choice]]) -> (smallest: [Int], exchanges: [Exchange]) {
        let hulls = items.map(hull)
        var exchanges: [(exchange: Exchange, gain: Double)] = []
        for (item, hull) in hulls.enumerated() {
            var last = Double.infinity
            for (small, large) in zip(hull, hull.dropFirst()) {
                let (now, other) = (items[item][small], items[item][large])
                // Gains fall along a hull, but for rounding.
                last = min(last, (now.cost - other.cost) / Double(other.bytes - now.bytes))
                exchanges.append((Exchange(item: item, choice: large), last))
            }
        }
        let order = exchanges.indices.sorted {
            exchanges[$0].gain == exchanges[$1].gain ? $0 < $1 : exchanges[$0].gain > exchanges[$1].gain
        }
        return (hulls.map { $0[0] }, order.map { exchanges[$0].exchange })
    }

    /// The exchange that saves most for each byte, the first of several; nil where none fits and saves.
    private static func best(_ items: [[Choice]], _ chosen: [Int], _ left: UInt64) -> Exchange? {
        var best: Exchange?
        var most = 0.0
        for item in items.indices {
            let now = items[item][chosen[item]]
            for (choice, other) in items[item].enumerated() {
                guard other.cost < now.cost, other.bytes <= now.bytes + left else { continue }
                // What takes no more bytes is taken at once.
                let bytes = other.bytes > now.bytes ? Double(other.bytes - now.bytes) : .leastNormalMagnitude
                let gain = (now.cost - other.cost) / bytes
                if gain > most { (best, most) = (Exchange(item: item, choice: choice), gain) }
            }
        }
        return best
    }

    /// Choices on the lower convex hull of costs over bytes, from the smallest on; costs fall along it.
    private static func hull(_ choices: [Choice]) -> [Int] {
        let order = choices.indices.sorted {
            (choices[$0].bytes, choices[$0].cost, $0) < (choices[$1].bytes, choices[$1].cost, $1)
        }
        var hull: [Int] = []
        for index in order {
            if let last = hull.last, choices[index].cost >= choices[last].cost { continue }
            while hull.count > 1, isAbove(choices[hull[hull.count - 1]], choices[hull[hull.count - 2]], choices[index])
            {
                hull.removeLast()
            }
            hull.append(index)
        }
        return hull
    }

    /// Whether a choice lies on or above the line between a smaller and a larger one.
    private static func isAbove(_ middle: Choice, _ small: Choice, _ large: Choice) -> Bool {
        (small.cost - middle.cost) * (Double(large.bytes) - Double(small.bytes))
            <= (small.cost - large.cost) * (Double(middle.bytes) - Double(small.bytes))
    }
}
