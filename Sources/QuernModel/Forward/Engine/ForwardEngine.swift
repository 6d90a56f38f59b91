import QuernFormats

/// What computes forward passes: a processor, or a card.
///
/// Its values lie where it computes. Pointers to them are for its own lanes; those of a card are addresses in the
/// card's memory, which nobody else may follow.
package protocol ForwardEngine: AnyObject, Sendable {
    /// How it multiplies and sums, in words: equal words mean equal bits.
    var arithmetic: String { get }

    /// Uninitialized memory for at least `count` values, reused or given back with the last reference.
    func allocate(_ count: Int) throws -> any ValueBuffer

    /// Values where the engine computes, ready for all lanes.
    func vector(_ values: [Float]) throws -> any ValueBuffer

    /// Room for the weights of a linear layer; they have to be packed before the first product.
    /// - Parameter areBF16: whether each weight is a BF16 number.
    func matrix(outputs: Int, inputs: Int, areBF16: Bool) throws -> any WeightMatrix

    /// What one thread at a time computes with.
    func makeLane() throws -> any ForwardLane
}

extension ForwardLane {
    /// What an engine of this kind has made.
    /// - Throws: `.internalFault` for what another has made.
    package func own<Own>(_ object: AnyObject) throws -> Own {
        guard let own = object as? Own else {
            throw QuernError(.internalFault, "\(type(of: object)) is another engine's", at: "forward pass")
        }
        return own
    }
}

/// Values of an engine.
///
/// Shared by threads that write to different places of them; whoever shares them sees to that.
package protocol ValueBuffer: AnyObject, Sendable {
    var base: UnsafeMutablePointer<Float> { get }
    /// At least as many as were asked for.
    var count: Int { get }
}

/// Weights [outputs, inputs] as an engine multiplies best.
package protocol WeightMatrix: AnyObject, Sendable {
    var outputs: Int { get }
    var inputs: Int { get }
    /// The rows to pack, piece by piece.
    var pieces: [Range<Int>] { get }
}

/// Rows somewhere in an engine's memory.
package struct Rows {
    package let base: UnsafeMutablePointer<Float>
    /// From one row to the next.
    package let stride: Int

    package init(base: UnsafeMutablePointer<Float>, stride: Int) {
        self.base = base
        self.stride = stride
    }

    package subscript(row: Int) -> UnsafeMutablePointer<Float> { base + row * stride }

    /// The rows from another one on.
    package func from(row: Int) -> Rows { Rows(base: self[row], stride: stride) }

    /// The same rows from another column on.
    package func from(column: Int) -> Rows { Rows(base: base + column, stride: stride) }
}

/// What buffers of a lane are for: one of each.
package enum RowUse: Int, CaseIterable, Sendable {
    case normed, queries, keys, values, scores, headQuery, headOutput, attended, output, gate, up, activated
    case gathered, latent, router
}

/// Matrices are multiplied with any number of rows, but memory is there for whole multiples.
package enum RowPadding {
    /// Every other number costs the processor's library a primitive of its own.
    static let multiple = 16

    /// A number of rows that is multiplied without further ado.
    package static func up(_ rows: Int) -> Int { down(rows + multiple - 1) }
    static func down(_ rows: Int) -> Int { rows / multiple * multiple }
}
