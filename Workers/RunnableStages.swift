import Logging
import QuernFormats
import QuernJobs

extension Stage {
    /// Whether the stage reads or writes artifacts, which only workers beside their folder can.
    var needsArtifacts: Bool {
        switch self {
        case .assemble, .evaluate, .publish: true
        case .digest, .tokenize, .calibrate, .merge, .scan, .balance, .factor, .measure, .collect, .encode: false
        }
    }

    /// Those of `stages` that can be run with an engine: what cannot is for other workers. A line in the log says so.
    package static func runnable(
        among stages: Set<Stage> = Set(allCases), with engine: any ForwardEngines = ProcessorEngine(), logger: Logger
    ) -> Set<Stage> {
        let left = stages.filter { !$0.computesOnModels }
        guard left.count < stages.count, engine.forwardDevices.isEmpty,
            let obstacle = engine.forwardObstacle(on: .cpu)
        else { return stages }
        logger.warning("this machine takes no part in calibration, measuring and evaluation: \(obstacle)")
        return left
    }
}
