import QuernPlanning

/// The steps of a forward pass, as one thread of an engine does them.
///
/// They are done in the order in which they are called, but maybe after they return: until `finish` has, memory has to stay
/// that is given as a pointer (`hold`), and what the processor is to see is read by `read`. What is given as an object,
/// such as weights or a norm, the lane keeps by itself. Numbers of rows may be 0.
package protocol ForwardLane: AnyObject {
    /// One of the lane's own buffers, with room for `count` values: whatever was there before.
    func take(_ use: RowUse, _ count: Int) throws -> UnsafeMutablePointer<Float>

    /// Memory of the processor, for values on their way to the engine: the same each time, when they are there.
    func staging(_ count: Int) throws -> UnsafeMutablePointer<Float>

    /// Takes values of the processor over.
    /// - Parameter values: of the last call of `staging`.
    func put(_ values: UnsafeMutablePointer<Float>, count: Int, at place: UnsafeMutablePointer<Float>) throws

    /// Lends values to the processor, when all steps before are done: valid during the call.
    func read<Value>(
        _ values: UnsafeMutablePointer<Float>, count: Int, _ body: (UnsafeBufferPointer<Float>) throws -> Value
    ) throws -> Value

    /// Keeps an object until the next `finish`: with its last reference its memory may become another's, which a step
    /// that is not done yet would read.
    func hold(_ object: AnyObject)

    /// Waits until all steps are done.
    func finish() throws

    // MARK: Products

    /// Packs one of a matrix's pieces; lanes may pack different ones at the same time.
    /// - Parameters:
    ///   - rows: one of `matrix.pieces`.
    ///   - values: [rows.count, inputs], of the last call of `staging`.
    func pack(_ matrix: any WeightMatrix, _ rows: Range<Int>, _ values: UnsafeMutablePointer<Float>) throws

    /// result = input·Wᵀ.
    /// - Parameters:
    ///   - input: [padded rows, inputs] without gaps; what the rows beyond `rows` hold does not matter, as long as they
    ///     are there.
    ///   - result: [padded rows, outputs] without gaps.
    func multiply(
        _ input: UnsafeMutablePointer<Float>, by matrix: any WeightMatrix, rows: Int,
        into result: UnsafeMutablePointer<Float>
    ) throws

    /// c = a·b, or a·bᵀ: in single precision.
    /// - Parameters:
    ///   - a: [rows, inner].
    ///   - b: [inner, columns], or [columns, inner] where it is transposed.
    func multiply(
        _ a: Rows, _ b: Rows, transposed: Bool, into c: Rows, rows: Int, columns: Int, inner: Int
    ) throws

    /// Causal attention of all heads; see `AttentionHeads`.
    /// - Parameters:
    ///   - queries: head beside head, rotated and scaled.
    ///   - keys, values: likewise, for each group of heads.
    ///   - sinks: one more score for each head.
    ///   - positions: those of which the result is wanted.
    func attend(
        _ heads: AttentionHeads, queries: Rows, keys: Rows, values: Rows, sinks: LoadedSinks?, into result: Rows,
        positions: Range<Int>
    ) throws

    // MARK: Rows

    /// Sums over rows without gaps, when all steps before are done.
    func moments(_ rows: UnsafeMutablePointer<Float>, width: Int, count: Int) throws -> RowMoments

    /// Where products of the columns of rows are summed up, by lanes of the same engine.
    func makeGram(_ layout: GramLayout) throws -> any GramSums

    func clear(_ values: UnsafeMutablePointer<Float>, count: Int) throws
    func copy(_ rows: Rows, to target: Rows, width: Int, count: Int) throws

    /// Normalizes `parts` stretches of each row, which lie side by side and are as wide as the norm; `rows` and `target`
    /// may be the same.
    func normalize(_ rows: Rows, by norm: LoadedNorm, to target: Rows, parts: Int, count: Int) throws

    /// target += scale · rows; a stride of 0 adds the same row to all.
    func add(_ rows: Rows, scale: Float, to target: Rows, width: Int, count: Int) throws

    func scale(_ rows: Rows, by factor: Float, width: Int, count: Int) throws

    /// x = cap · tanh(scale · x / cap)
    func softCap(_ rows: Rows, scale: Float, cap: Float, width: Int, count: Int) throws

    /// Rotates the beginnings of `heads` stretches of each row, `length` apart, by the row's position.
    func rotate(_ rows: Rows, heads: Int, length: Int, count: Int, by rope: LoadedRope) throws

    /// The rows between up and down of a feed-forward layer.
    func activate(_ activation: Activation, gate: Rows, up: Rows?, into result: Rows, width: Int, count: Int) throws

    /// Row i of `target` is row `indices[i]` of `rows`, all without gaps.
    func gather(
        _ indices: [Int32], of rows: UnsafeMutablePointer<Float>, into target: UnsafeMutablePointer<Float>, width: Int
    ) throws

    /// Adds row i of `rows`, times a weight, to a row of `target`, all without gaps.
    /// - Parameter placements: for each i the row and the weight; no row twice.
    func scatter(
        _ rows: UnsafeMutablePointer<Float>, to placements: [RowPlacement], of target: UnsafeMutablePointer<Float>,
        width: Int
    ) throws
}

/// XᵀX of the rows X that one matrix reads: products in single precision, chunk by chunk, added up in double precision,
/// chunks in their order.
package protocol GramSums: AnyObject, Sendable {
    /// To be called once for each chunk, in any order, from any thread; chunks that are left out have no rows.
    func add(_ rows: ObservedRows, chunk: Int) throws

    /// To be called when nothing more is added, once.
    /// - Returns: the values of the layout.
    func finish() throws -> [Double]
}
