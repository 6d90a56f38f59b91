extension ImatrixFile {
    /// Adds the sums and counts of another file about the same model. A tensor that only one of them has is taken over.
    /// - Throws: `QuernError` `.invalidInput` naming a tensor of another shape.
    public mutating func add(_ other: ImatrixFile) throws(QuernError) {
        for (name, entry) in other.sorted {
            guard var sum = entries[name] else {
                entries[name] = entry
                continue
            }
            guard sum.sums.count == entry.sums.count, sum.counts.count == entry.counts.count else {
                throw QuernError(
                    .invalidInput,
                    "\(entry.columns) values for each of \(entry.counts.count) matrices, and \(sum.columns) for each "
                        + "of \(sum.counts.count) before",
                    at: "entry \(name.quotedForMessage)", remedy: "Merge files about one model only")
            }
            for index in sum.sums.indices { sum.sums[index] += entry.sums[index] }
            for index in sum.counts.indices { sum.counts[index] += entry.counts[index] }
            try Self.check(sum.sums)
            guard sum.counts.allSatisfy({ $0 <= Self.maximumRows }) else {
                throw QuernError(.invalidInput, "too many rows in all", at: "entry \(name.quotedForMessage)")
            }
            entries[name] = sum
        }
        guard chunkTokens == other.chunkTokens else {
            throw QuernError(
                .invalidInput, "chunks of \(other.chunkTokens) tokens, and of \(chunkTokens) before",
                remedy: "Merge files with chunks of one length only")
        }
        datasets += other.datasets.filter { !datasets.contains($0) }
        chunkCount += other.chunkCount
        text = nil
    }
}
