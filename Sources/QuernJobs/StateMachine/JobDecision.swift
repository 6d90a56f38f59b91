import QuernFormats

/// A job as far as its own state is concerned.
public struct JobLife: Sendable, Equatable {
    public let id: JobID
    public var state: JobState
    public init(id: JobID, state: JobState) {
        self.id = id
        self.state = state
    }
}

/// Something that happens to a job.
public enum JobTrigger: Sendable, Equatable {
    case action(JobAction)
    /// An item failed or was quarantined, for this reason.
    case itemGivenUp(String)
    case allItemsDone
}

/// What follows for a job, in order.
public enum JobMutation: Sendable, Equatable {
    case enter(JobState)
    /// The job has ended; the reason where it failed.
    case finish(failure: String?)
    /// The end and its reason are forgotten.
    case reopen
    /// `ItemEvent.cancelled` happens to every item, or `.retried`.
    case cancelItems
    case retryItems
    /// The job shares from now on as if it had never been ahead or behind.
    case rejoinShare
    case announce(JobEvent.Kind, String)
}

/// The life of a job as a pure function. Asking for the state a job has already changes nothing.
/// - Throws: `QuernError` `.conflict` where the job's state forbids the action.
public func decide(_ job: JobLife, _ trigger: JobTrigger) throws -> [JobMutation] {
    switch (trigger, job.state) {
    case (.action(.cancel), .running), (.action(.cancel), .paused):
        return [.enter(.cancelled), .finish(failure: nil), .cancelItems, .announce(.cancelled, "")]
    case (.action(.pause), .running):
        return [.enter(.paused), .announce(.paused, "")]
    case (.action(.resume), .paused):
        return [.enter(.running), .rejoinShare, .announce(.resumed, "")]
    case (.action(.retry), .failed), (.action(.retry), .cancelled):
        return [.enter(.running), .reopen, .retryItems, .rejoinShare, .announce(.retried, "")]
    case (.action(.cancel), .cancelled), (.action(.pause), .paused), (.action(.resume), .running):
        return []
    case (.action(let action), let state):
        throw QuernError(
            .conflict, "a job that is \(state.rawValue) cannot be asked to \(action.rawValue)", at: job.id.rawValue)
    case (.itemGivenUp(let reason), .running), (.itemGivenUp(let reason), .paused):
        return [.enter(.failed), .finish(failure: reason), .announce(.failed, reason)]
    case (.allItemsDone, .running), (.allItemsDone, .paused):
        return [.enter(.done), .finish(failure: nil), .announce(.done, "")]
    case (.itemGivenUp, _), (.allItemsDone, _):
        return []
    }
}
