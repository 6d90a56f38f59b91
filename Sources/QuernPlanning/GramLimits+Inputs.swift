import QuernFormats
import QuernJobs

extension Recipe.GramLimits {
    /// Bytes of a value in a statistics file.
    private static let valueBytes = 4.0

    /// The widest block with which the matrices of all inputs keep to the limits: narrower for all alike where the
    /// budget asks for it, so that inputs of one width are treated alike.
    /// - Throws: `QuernError` `.usage` where nothing does.
    func widestBlock(for inputs: [LinearInput]) throws -> Int {
        guard (1...GramLayout.maximumColumns).contains(maxBlock) else {
            throw QuernError(
                .usage, "blocks have 1 to \(GramLayout.maximumColumns) columns", at: "calibration.gram.max_block",
                remedy: "\(Self.usualMaxBlock) is usual")
        }
        let widest = min(maxBlock, inputs.map(\.channels).max() ?? 1)
        let group = GramLayout.groupColumns[0]
        let narrower =
            Array(stride(from: (widest - 1) / group * group, to: 0, by: -group)) + [128, 64, 32, 16, 8, 4, 2, 1]
        guard
            let fitting = ([widest] + narrower).first(where: {
                $0 <= widest && Self.bytes(of: inputs, widest: $0) <= Double(budget)
            })
        else {
            throw QuernError(
                .usage, "Gram matrices of this model do not fit \(budget) bytes, not even their diagonals",
                at: "calibration.gram.budget",
                remedy: "Give at least \(Int64(clamping: Self.bytes(of: inputs, widest: 1)))")
        }
        return fitting
    }

    /// What is not kept of the matrices of inputs that are wider than a block; nil where all are kept in full.
    func warning(for inputs: [LinearInput], widest: Int) -> String? {
        let cut = Set(inputs.map(\.channels)).sorted().map { GramLayout(channels: $0, widest: widest) }
            .filter { !$0.isWhole }
        guard !cut.isEmpty else { return nil }
        let parts = cut.map { "of \($0.channels) channels in blocks of \($0.blockColumns)" }
        return "calibration: Gram matrices are kept \(parts.joined(separator: ", ")), by gram.max_block "
            + "(\(maxBlock)) or gram.budget (\(budget) bytes); errors are made good within a block only"
    }

    /// What the matrices of all inputs take in a statistics file.
    static func bytes(of inputs: [LinearInput], widest: Int) -> Double {
        inputs.reduce(0) { sum, input in
            let layout = GramLayout(channels: input.channels, widest: widest)
            return sum + valueBytes * Double(layout.values) * Double(input.matrices)
        }
    }
}
