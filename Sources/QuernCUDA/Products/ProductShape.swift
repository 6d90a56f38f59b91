/// Which product of matrices is computed, and how its matrices lie in memory: C = A · B or C += A · B, by row.
///
/// All counts and strides are of elements. C is of F32, and so are products and sums: F32 operands are not shortened to
/// TF32.
package struct ProductShape: Hashable, Sendable {
    /// Elements of A and B.
    package enum Operand: String, Sendable, CaseIterable {
        case float = "F32"
        case bfloat16 = "BF16"

        /// Bytes of an element.
        package var byteCount: Int { self == .float ? 4 : 2 }
    }

    /// How far the parts of a matrix, and the matrices of a batch, are from each other.
    package struct Strides: Hashable, Sendable {
        /// From a row to the next: at least the width of a row.
        package let row: Int
        /// From a matrix to the next; 0 where all products share one. Without meaning in a batch of one.
        package let batch: Int

        package init(row: Int, batch: Int = 0) { (self.row, self.batch) = (row, batch) }
    }

    /// Of C.
    package let rows: Int
    package let columns: Int
    /// Products that each element of C is the sum of.
    package let inner: Int
    package let operand: Operand
    /// Whether A lies as [inner, rows], as for a Gram matrix XᵀX; else as [rows, inner].
    package let transposesA: Bool
    /// Whether B lies as [columns, inner], as weights do: a row for each output; else as [inner, columns].
    package let transposesB: Bool
    /// Whether the product is added to what C has.
    package let adds: Bool
    package let batchCount: Int
    package let a: Strides
    package let b: Strides
    package let c: Strides
    /// Bytes, a power of 2: the addresses of A, B and C are multiples of it. Below 16 products are slower.
    package let alignment: Int

    /// - Parameters:
    ///   - rows, columns, inner, batchCount: 1 or more, below 2³¹.
    ///   - a, b, c: nil for matrices without gaps, each behind the other. In C no two elements may have one place;
    ///     matrices of C may lie within each other's gaps, as heads do that are side by side in one row.
    package init(
        rows: Int, columns: Int, inner: Int, operand: Operand, transposesA: Bool = false, transposesB: Bool = true,
        adds: Bool = false, batchCount: Int = 1, a: Strides? = nil, b: Strides? = nil, c: Strides? = nil,
        alignment: Int = 16
    ) {
        for count in [rows, columns, inner, batchCount] {
            precondition(count >= 1 && count <= Int32.max, "a product without elements is not for a card")
        }
        precondition(
            alignment >= 4 && alignment <= 256 && alignment.nonzeroBitCount == 1, "no alignment of numbers")
        (self.rows, self.columns, self.inner, self.operand) = (rows, columns, inner, operand)
        (self.transposesA, self.transposesB, self.adds, self.batchCount) = (transposesA, transposesB, adds, batchCount)
        let dense = Strides.dense
        self.a = a ?? (transposesA ? dense(inner, rows) : dense(rows, inner))
        self.b = b ?? (transposesB ? dense(columns, inner) : dense(inner, columns))
        self.c = c ?? dense(rows, columns)
        self.alignment = alignment
        precondition(
            self.a.row >= widthOfA && self.b.row >= widthOfB && self.c.row >= columns, "rows run into each other")
        precondition(self.a.batch >= 0 && self.b.batch >= 0, "matrices lie in descending order")
        precondition(batchCount == 1 || keepsResultsApart, "results run into each other")
    }

    /// Elements of a row of A, and of B, as they lie.
    private var widthOfA: Int { transposesA ? rows : inner }
    private var widthOfB: Int { transposesB ? inner : columns }

    /// Whether each matrix of C lies behind the one before, or beside it within the same rows.
    private var keepsResultsApart: Bool {
        c.batch >= (rows - 1) * c.row + columns
            || (c.batch >= columns && (batchCount - 1) * c.batch + columns <= c.row)
    }
}

extension ProductShape.Strides {
    fileprivate static func dense(_ rows: Int, _ width: Int) -> Self { Self(row: width, batch: rows * width) }
}

extension ProductShape: CustomStringConvertible {
    /// `F32 [5, 8] = BF16 [5, 64] · [8, 64]ᵀ`, with the strides and the number of products where they are not usual.
    package var description: String {
        func matrix(_ transposed: Bool, _ rows: Int, _ columns: Int) -> String {
            transposed ? "[\(columns), \(rows)]ᵀ" : "[\(rows), \(columns)]"
        }
        let product =
            "F32 [\(rows), \(columns)] \(adds ? "+=" : "=") \(operand.rawValue) "
            + "\(matrix(transposesA, rows, inner)) · \(matrix(transposesB, inner, columns))"
        let strides = "rows \(a.row), \(b.row), \(c.row) apart"
        let batch = batchCount == 1 ? "" : ", \(batchCount) times \(a.batch), \(b.batch), \(c.batch) apart"
        return "\(product), \(strides)\(batch)"
    }
}
