import Logging
import QuernFormats
import QuernJobs
import QuernModel

extension Stage {
    /// Whether the stage computes on a model, which takes a library that not every machine has.
    public var computesOnModels: Bool {
        switch self {
        case .calibrate, .measure, .evaluate: true
        case .digest, .tokenize, .merge, .scan, .balance, .factor, .collect, .encode, .assemble, .publish: false
        }
    }

    /// Whether the stage reads or writes artifacts, which only workers beside their folder can.
    var needsArtifacts: Bool {
        switch self {
        case .assemble, .evaluate, .publish: true
        case .digest, .tokenize, .calibrate, .merge, .scan, .balance, .factor, .measure, .collect, .encode: false
        }
    }

    /// Why this machine cannot run stages that compute on models; nil where it can.
    public static var modelObstacle: QuernError? { MatrixEngine.obstacle }

    /// Those of `stages` that this machine can run: what it cannot is for other workers. A line in the log says so.
    public static func runnable(among stages: Set<Stage> = Set(allCases), logger: Logger) -> Set<Stage> {
        let left = stages.filter { !$0.computesOnModels }
        guard left.count < stages.count, let obstacle = modelObstacle else { return stages }
        logger.warning("this machine takes no part in calibration, measuring and evaluation: \(obstacle)")
        return left
    }
}
