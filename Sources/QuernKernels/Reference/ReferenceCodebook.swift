import CQuernKernels

/// A code book: the few points of a grid of levels that a type can store, by index.
///
/// Level l of a coordinate stands for the odd number 2l + 1. A point of the full grid is packed with its first
/// coordinate lowest, in 2 bits (eight coordinates of 3 levels) or 3 bits (four coordinates of 8 levels) each.
struct ReferenceCodebook: Sendable {
    /// Values that share one index.
    let dimension: Int
    /// Levels are in 0 ... this.
    let highestLevel: Int
    /// The levels of each point, by index: [count][dimension].
    let points: [[Int]]
    /// The index of each packed point of the full grid that is in the book.
    private let indices: [Int: Int]
    /// The indices that stand in for each packed point of the full grid that is not in the book: see `neighbours(of:)`.
    private let neighbours: [Int: [Int]]

    /// - Parameters:
    ///   - id: the book whose points to take.
    ///   - shells: from how many distinct least distances neighbours are taken.
    private init(_ id: quern_codebook_id, dimension: Int, levels: Int, shells: Int) {
        let grid = ReferenceCodebook.grid(dimension: dimension, levels: levels)
        // Indices follow the order of the packed points.
        let members = grid.filter { quern_codebook_contains(id.rawValue, UInt32(ReferenceCodebook.packed($0))) }
        let packed = members.map(ReferenceCodebook.packed)
        let indices = Dictionary(uniqueKeysWithValues: zip(packed, packed.indices))
        var neighbours: [Int: [Int]] = [:]
        for point in grid where indices[ReferenceCodebook.packed(point)] == nil {
            neighbours[ReferenceCodebook.packed(point)] = ReferenceCodebook.nearest(
                to: point, among: members, shells: shells)
        }
        self.dimension = dimension
        highestLevel = levels - 1
        self.points = members
        self.indices = indices
        self.neighbours = neighbours
    }

    static let iq2_xxs = ReferenceCodebook(quern_codebook_iq2_xxs, dimension: 8, levels: 3, shells: 2)
    static let iq2_xs = ReferenceCodebook(quern_codebook_iq2_xs, dimension: 8, levels: 3, shells: 2)
    static let iq2_s = ReferenceCodebook(quern_codebook_iq2_s, dimension: 8, levels: 3, shells: 1)
    static let iq1 = ReferenceCodebook(quern_codebook_iq1, dimension: 8, levels: 3, shells: 3)
    static let iq3_xxs = ReferenceCodebook(quern_codebook_iq3_xxs, dimension: 4, levels: 8, shells: 2)
    static let iq3_s = ReferenceCodebook(quern_codebook_iq3_s, dimension: 4, levels: 8, shells: 3)

    /// The index of a point of the full grid, nil where the book does not have it.
    func index(of levels: [Int]) -> Int? { indices[ReferenceCodebook.packed(levels)] }

    /// The indices of the points nearest to a point of the full grid that is not in the book: all those at the least
    /// distances, nearest first, those at one distance in ascending order.
    func neighbours(of levels: [Int]) -> [Int] { neighbours[ReferenceCodebook.packed(levels)] ?? [] }

    /// The index of a point of the full grid, or, where the book does not have it, of the neighbour with the least
    /// Σw(scale · (2l + 1) − x)², the first where several have it or none has a finite one.
    /// - Parameters:
    ///   - x: `dimension` values.
    ///   - w: as many weights.
    func index(of levels: [Int], x: ArraySlice<Float>, weights w: ArraySlice<Float>, scale: Float) -> Int {
        if let index = index(of: levels) { return index }
        let candidates = neighbours(of: levels)
        var best = candidates[0]
        var leastError = Float.greatestFiniteMagnitude
        for candidate in candidates {
            var error: Float = 0
            for i in 0..<dimension {
                let difference = scale * Float(2 * points[candidate][i] + 1) - x[x.startIndex + i]
                error += w[w.startIndex + i] * difference * difference
            }
            if error < leastError { (leastError, best) = (error, candidate) }
        }
        return best
    }

    private static func packed(_ levels: [Int]) -> Int {
        let bits = levels.count == 8 ? 2 : 3
        return levels.reversed().reduce(0) { $0 << bits | $1 }
    }

    /// All points of the full grid, the first coordinate running fastest: in the order of the packed points.
    private static func grid(dimension: Int, levels: Int) -> [[Int]] {
        if dimension == 0 { return [[]] }
        let rest = grid(dimension: dimension - 1, levels: levels)
        return rest.flatMap { rest in (0..<levels).map { [$0] + rest } }
    }

    /// The indices of the points at the least `shells` distinct distances, nearest first, then in ascending order.
    private static func nearest(to point: [Int], among points: [[Int]], shells: Int) -> [Int] {
        var atDistance = [[Int]](repeating: [], count: point.count * 7 * 7 + 1)
        for (index, other) in points.enumerated() {
            var distance = 0
            for i in point.indices { distance += (other[i] - point[i]) * (other[i] - point[i]) }
            atDistance[distance].append(index)
        }
        return Array(atDistance.filter { !$0.isEmpty }.prefix(shells).joined())
    }
}
