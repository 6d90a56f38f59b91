import QuernStore

/// Bodies of the HTTP calls that are not already a value of the services. Field names are those of the OpenAPI document.
public enum Wire {
    public struct Jobs: Sendable, Codable {
        /// Newest first.
        public let jobs: [JobRecord]
        public init(jobs: [JobRecord]) { self.jobs = jobs }
    }

    public struct Items: Sendable, Codable {
        public let items: [ItemRecord]
        public init(items: [ItemRecord]) { self.items = items }
    }

    public struct Events: Sendable, Codable {
        public let events: [JobEvent]
        public init(events: [JobEvent]) { self.events = events }
    }

    public struct Artifacts: Sendable, Codable {
        public let artifacts: [OutputFile]
        public init(artifacts: [OutputFile]) { self.artifacts = artifacts }
    }

    public struct ClaimRequest: Sendable, Codable {
        public let session: SessionID
        public let limit: Int
        /// How long to wait for the first item.
        public let waitSeconds: Double
        public init(session: SessionID, limit: Int, waitSeconds: Double) {
            self.session = session
            self.limit = limit
            self.waitSeconds = waitSeconds
        }
    }

    public struct Claims: Sendable, Codable {
        public let claims: [Claim]
        public init(claims: [Claim]) { self.claims = claims }
    }

    public struct Complete: Sendable, Codable {
        public let lease: Lease
        public let completion: Completion
        public init(lease: Lease, completion: Completion) {
            self.lease = lease
            self.completion = completion
        }
    }

    public struct Fail: Sendable, Codable {
        public let lease: Lease
        public let failure: WorkFailure
        public init(lease: Lease, failure: WorkFailure) {
            self.lease = lease
            self.failure = failure
        }
    }

    public struct Release: Sendable, Codable {
        public let lease: Lease
        public init(lease: Lease) { self.lease = lease }
    }

    public struct LookUp: Sendable, Codable {
        public let keys: [Digest]
        public init(keys: [Digest]) { self.keys = keys }
    }

    public struct Parts: Sendable, Codable {
        /// By input hash, in hexadecimal.
        public let parts: [String: Part]
        public init(parts: [String: Part]) { self.parts = parts }
    }

    public struct BlobSize: Sendable, Codable {
        public let bytes: Int
        public init(bytes: Int) { self.bytes = bytes }
    }

    public struct BlobOffer: Sendable, Codable {
        /// The blob is there.
        public let stored: Bool
        /// Where it goes; nil for a PUT to the coordinator.
        public let upload: BlobUpload?
        public init(stored: Bool, upload: BlobUpload?) {
            self.stored = stored
            self.upload = upload
        }
    }
}

/// A file of a job's output, as the coordinator can hand it out.
public struct OutputFile: Sendable, Codable, Equatable {
    /// The target it belongs to; nil for the manifest.
    public let target: String?
    /// Path within the output folder.
    public let name: String
    /// Known from the plan on; nil for a manifest that is not written yet.
    public let bytes: UInt64?
    /// Known once the file is written, which is when it can be downloaded.
    public let sha256: Digest?
    public init(target: String?, name: String, bytes: UInt64?, sha256: Digest?) {
        self.target = target
        self.name = name
        self.bytes = bytes
        self.sha256 = sha256
    }
}

/// What a watcher of a job is told.
public enum JobUpdate: Sendable {
    case event(JobEvent)
    case progress(JobProgress)
}

/// Where a job stands, sent to watchers whenever it changes.
public struct JobProgress: Sendable, Codable, Equatable {
    public let state: JobState
    public let progress: JobRecord.Progress
    /// As that of `JobRecord`.
    public let waiting: String?
    public init(_ job: JobRecord) {
        state = job.state
        progress = job.progress
        waiting = job.waiting
    }
}
