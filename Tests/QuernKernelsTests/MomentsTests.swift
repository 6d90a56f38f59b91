import QuernKernels
import TestSupport
import Testing

struct MomentsTests {
    /// Row by row, as one reads it.
    private static func plain(_ rows: [Float], columns: Int) -> (
        squares: [Double], magnitudes: [Double], maxima: [Float]
    ) {
        var result = (
            squares: [Double](repeating: 1, count: columns), magnitudes: [Double](repeating: 2, count: columns),
            maxima: [Float](repeating: 0.5, count: columns)
        )
        for (index, value) in rows.enumerated() {
            result.squares[index % columns] += Double(value) * Double(value)
            result.magnitudes[index % columns] += Double(abs(value))
            result.maxima[index % columns] = max(result.maxima[index % columns], abs(value))
        }
        return result
    }

    private static func kernel(
        _ rows: [Float], columns: Int, _ set: InstructionSet
    ) -> (squares: [Double], magnitudes: [Double], maxima: [Float]) {
        var squares = [Double](repeating: 1, count: columns)
        var magnitudes = [Double](repeating: 2, count: columns)
        var maxima = [Float](repeating: 0.5, count: columns)
        rows.withUnsafeBufferPointer { rows in
            squares.withUnsafeMutableBufferPointer { squares in
                magnitudes.withUnsafeMutableBufferPointer { magnitudes in
                    maxima.withUnsafeMutableBufferPointer {
                        Kernels.addMoments(of: rows, squares: squares, magnitudes: magnitudes, maxima: $0, with: set)
                    }
                }
            }
        }
        return (squares, magnitudes, maxima)
    }

    @Test(arguments: InstructionSet.allCases, [(1, 1), (3, 15), (5, 16), (9, 33), (7, 512), (6, 1041), (0, 20)])
    func everySetHasTheSumsOfThePlainLoop(set: InstructionSet, shape: (rows: Int, columns: Int)) {
        var generator = SeededGenerator(seed: UInt64(shape.columns))
        let rows = (0..<shape.rows * shape.columns).map { _ in
            Float.random(in: -2...2, using: &generator) * Float.random(in: 0...1e3, using: &generator)
        }
        let expected = Self.plain(rows, columns: shape.columns)
        let found = Self.kernel(rows, columns: shape.columns, set)
        #expect(found.squares == expected.squares)
        #expect(found.magnitudes == expected.magnitudes)
        #expect(found.maxima == expected.maxima)
    }

    @Test(arguments: InstructionSet.allCases, [Float.nan, .infinity, -.infinity])
    func whatIsNotFiniteShows(set: InstructionSet, value: Float) {
        for place in [3, 16, 20] {
            var rows = [Float](repeating: 1, count: 42)
            rows[21 + place] = value
            let found = Self.kernel(rows, columns: 21, set)
            #expect(found.maxima.map(\.isFinite) == (0..<21).map { $0 != place })
            #expect(found.squares.map(\.isFinite) == (0..<21).map { $0 != place })
        }
    }
}
