import QuernFormats
import QuernJobs
import QuernStore

/// Blobs that a stage needed and that are missing or damaged.
struct LostBlobs: Error {
    let digests: [Digest]
    let reason: String
}

extension WorkFailure {
    /// What an error of a stage means for the item.
    init(_ error: any Error) {
        if let lost = error as? LostBlobs {
            self.init(class: .lostInput, message: lost.reason, blobs: lost.digests)
            return
        }
        guard let error = error as? QuernError else {
            self.init(class: .transient, message: "\(error)")
            return
        }
        let kind: Class =
            switch error.code {
            case .outOfSpace: .outOfSpace
            case .outOfMemory: .outOfMemory
            case .cancelled: .preempted
            // A file that is missing here may be there on another machine, or a moment later.
            case .unavailable, .io, .notFound, .corrupted, .unauthorized: .transient
            case .usage, .invalidInput, .unsupported, .conflict, .internalFault: .permanent
            }
        self.init(class: kind, message: error.description)
    }
}
