import QuernFormats

extension NewJob {
    /// What every job store relies on.
    /// - Throws: `QuernError` `.invalidInput` where an item depends on itself or a later one, or costs nothing.
    public func validate() throws {
        for (ordinal, item) in items.enumerated() {
            guard item.dependencies.allSatisfy({ $0 >= 0 && $0 < ordinal }) else {
                throw QuernError(.invalidInput, "an item may only depend on items before it", at: "\(id)/\(ordinal)")
            }
            guard item.cost >= 1 else {
                throw QuernError(.invalidInput, "an item costs at least 1", at: "\(id)/\(ordinal)")
            }
        }
    }
}
