import QuernFormats

extension NewJob {
    /// What every job store relies on.
    /// - Throws: `QuernError` `.invalidInput` where an item depends on itself or a later one, or costs nothing.
    public func validate() throws {
        try items.validate(of: id, firstOrdinal: 0)
    }
}

extension JobContinuation {
    /// - Throws: as `NewJob.validate`.
    public func validate(of job: JobID) throws { try items.validate(of: job, firstOrdinal: firstOrdinal) }
}

extension [PlannedItem] {
    fileprivate func validate(of job: JobID, firstOrdinal: Int) throws {
        for (ordinal, item) in zip(firstOrdinal..., self) {
            guard item.dependencies.allSatisfy({ $0 >= 0 && $0 < ordinal }) else {
                throw QuernError(.invalidInput, "an item may only depend on items before it", at: "\(job)/\(ordinal)")
            }
            guard item.cost >= 1 else {
                throw QuernError(.invalidInput, "an item costs at least 1", at: "\(job)/\(ordinal)")
            }
        }
    }
}
