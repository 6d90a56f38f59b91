import QuernFormats
import QuernJobs
import Testing

@Suite struct JobDecisionTests {
    /// What a job becomes; nil where the action is refused.
    @Test(arguments: [
        (JobState.running, [JobState.cancelled, nil, .paused, .running]),
        (.paused, [.cancelled, nil, .paused, .running]),
        (.done, [nil, nil, nil, nil]),
        (.failed, [nil, .running, nil, nil]),
        (.cancelled, [.cancelled, .running, nil, nil]),
    ])
    func actions(_ state: JobState, _ outcomes: [JobState?]) throws {
        let job = JobLife(id: JobID(rawValue: "j"), state: state)
        for (action, outcome) in zip([JobAction.cancel, .retry, .pause, .resume], outcomes) {
            if let outcome {
                let mutations = try decide(job, .action(action))
                let entered = mutations.compactMap { if case .enter(let next) = $0 { next } else { nil } }
                #expect((entered.last ?? state) == outcome)
                #expect(mutations.isEmpty == (outcome == state))
            } else {
                let error = #expect(throws: QuernError.self) { try decide(job, .action(action)) }
                #expect(error?.code == .conflict)
            }
        }
    }

    @Test(arguments: JobState.allCases)
    func onlyJobsUnderWayEnd(_ state: JobState) throws {
        let job = JobLife(id: JobID(rawValue: "j"), state: state)
        let isUnderWay = state == .running || state == .paused
        let failed: [JobMutation] = [.enter(.failed), .finish(failure: "why"), .announce(.failed, "why")]
        #expect(try decide(job, .itemGivenUp("why")) == (isUnderWay ? failed : []))
        let done: [JobMutation] = [.enter(.done), .finish(failure: nil), .announce(.done, "")]
        #expect(try decide(job, .allItemsDone) == (isUnderWay ? done : []))
    }
}
