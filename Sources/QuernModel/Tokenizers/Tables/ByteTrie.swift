/// A trie over bytes: finds all keys that begin at a place of a text.
struct ByteTrie: Sendable {
    private struct Node {
        var firstChild: Int32 = 0
        var childCount: UInt16 = 0
        var label: UInt8 = 0
        /// Negative where no key ends here.
        var value: Int32 = -1
    }

    /// The root first; the children of a node lie together, in the order of their labels.
    private var nodes: [Node] = [Node()]
    /// By byte: the child of the root, or 0.
    private var first = [Int32](repeating: 0, count: 256)

    /// - Parameter keys: none empty; of equal keys the last counts. Values are not negative.
    init(_ keys: [(key: [UInt8], value: Int32)]) {
        var order = keys.indices.filter { !keys[$0].key.isEmpty }
        order.sort {
            let (left, right) = (keys[$0].key, keys[$1].key)
            if left == right { return $0 < $1 }
            return left.lexicographicallyPrecedes(right)
        }
        // Nodes whose children are still to be made: which keys pass through them, and how many bytes are behind.
        var pending: [(node: Int, keys: Range<Int>, depth: Int)] = [(0, 0..<order.count, 0)]
        var head = 0
        while head < pending.count {
            let (node, range, depth) = pending[head]
            head += 1
            nodes[node].firstChild = Int32(nodes.count)
            var start = range.lowerBound
            while start < range.upperBound, keys[order[start]].key.count == depth { start += 1 }
            while start < range.upperBound {
                let label = keys[order[start]].key[depth]
                var end = start
                var value: Int32 = -1
                while end < range.upperBound, keys[order[end]].key[depth] == label {
                    if keys[order[end]].key.count == depth + 1 { value = keys[order[end]].value }
                    end += 1
                }
                if node == 0 { first[Int(label)] = Int32(nodes.count) }
                pending.append((nodes.count, start..<end, depth + 1))
                nodes.append(Node(label: label, value: value))
                nodes[node].childCount += 1
                start = end
            }
        }
    }

    var isEmpty: Bool { nodes.count == 1 }

    /// Whether any key begins with `byte`.
    @inline(__always)
    func begins(with byte: UInt8) -> Bool { first[Int(byte)] != 0 }

    /// Calls `found` with the length and the value of every key that `text` has at `start`, the shortest first.
    @inline(__always)
    func forEachMatch(
        _ text: UnsafeBufferPointer<UInt8>, at start: Int, _ found: (_ length: Int, _ value: Int32) -> Void
    ) {
        var index = start
        guard index < text.count else { return }
        var node = Int(first[Int(text[index])])
        while node != 0 {
            index += 1
            if nodes[node].value >= 0 { found(index - start, nodes[node].value) }
            guard index < text.count else { return }
            node = child(of: node, text[index])
        }
    }

    /// The longest key that `text` has at `start`.
    @inline(__always)
    func longestMatch(_ text: UnsafeBufferPointer<UInt8>, at start: Int) -> (length: Int, value: Int32)? {
        var best: (length: Int, value: Int32)?
        forEachMatch(text, at: start) { best = ($0, $1) }
        return best
    }

    @inline(__always)
    private func child(of node: Int, _ label: UInt8) -> Int {
        var low = Int(nodes[node].firstChild)
        var high = low + Int(nodes[node].childCount)
        while low < high {
            let middle = (low + high) / 2
            let found = nodes[middle].label
            if found == label { return middle }
            if found < label { low = middle + 1 } else { high = middle }
        }
        return 0
    }
}
