import CQuernKernels
import QuernFormats

extension Kernels {
    /// Rows that are refined in one call at most.
    public static let refinedRows = fittedRows

    /// Values that `refine` needs room for.
    public static func refiningScratch(columns: Int) -> Int { quern_refine_scratch(columns) }

    /// Encodes rows to a type's blocks so that what the layer puts out changes little: the errors of columns are made good
    /// by columns that are rounded after them (GPTQ), scales being those that `encode` finds for columns corrected so far,
    /// or up to 8 % more or less where that loses less.
    ///
    /// Any reader of the type reads them. The bytes are the same on every instruction set; calls keep no state.
    /// - Parameters:
    ///   - type: one that `isRefined`.
    ///   - rows: [n, columns] finite values, n at most `refinedRows`.
    ///   - importance: a value of at least 0 for each column: mean squares of the inputs.
    ///   - feedback: of all columns, in units of the type's blocks and runs of its `refinedRun`.
    ///   - scratch: room for `refiningScratch(columns:)` values.
    ///   - output: `type.bytes(elements: rows.count)` bytes, with any alignment.
    public static func refine(
        _ type: ElementType, rows: UnsafeBufferPointer<Float>, columns: Int, importance: [Float], feedback: Feedback,
        scratch: UnsafeMutableBufferPointer<Float>, into output: UnsafeMutableRawBufferPointer,
        with set: InstructionSet = .best
    ) {
        precondition(columns > 0 && rows.count % columns == 0, "whole rows only")
        precondition(rows.count / columns <= refinedRows, "at most 128 rows")
        precondition(type.bytes(elements: rows.count) == output.count, "the output has another size")
        precondition(importance.count == columns, "a value for each column")
        precondition(feedback.isMade(for: type, columns: columns), "whole blocks, one by one")
        guard let source = rows.baseAddress, let target = output.baseAddress, !rows.isEmpty else { return }
        precondition(scratch.count >= refiningScratch(columns: columns), "too little room")
        let done = withAid(importance, feedback.blocks) { aid in
            var aid = aid
            return quern_refine(
                set.rawValue, type.rawValue, source, rows.count / columns, columns, &aid, scratch.baseAddress,
                target.assumingMemoryBound(to: UInt8.self))
        }
        precondition(done, "no refined encoder for \(type) with \(set)")
    }
}

extension Feedback {
    /// Whether it covers `columns`, blocks of the type following each other, and so do the columns of its runs.
    public func isMade(for type: ElementType, columns: Int) -> Bool {
        isMade(of: type.blockSize, runs: type.refinedRun, columns: columns)
    }

    /// Whether it covers `columns`, units of neighbours following each other, and within them runs as they are.
    package func isMade(of unit: Int, runs run: Int = 1, columns: Int) -> Bool {
        blocks.reduce(0) { $0 + $1.order.count } == columns
            && blocks.allSatisfy { block in
                block.first % unit == 0 && block.order.count % unit == 0
                    && block.order.indices.allSatisfy {
                        let (column, leader) = (Int(block.order[$0]), Int(block.order[$0 / run * run]))
                        return column / unit == Int(block.order[$0 / unit * unit]) / unit
                            && column / run == leader / run && column % run == $0 % run
                    }
            }
    }
}
