import Logging
import QuernFormats
import QuernJobs
import QuernStore

/// A worker: claims items, runs their stages on threads of its own, and hands in what came out.
///
/// It outlives the coordinator's absence: calls are repeated until they succeed, finished results are kept until they
/// can be handed in, and an expired session is replaced by a new one. What a lost lease had in work is dropped.
public struct Worker: Sendable {
    private let service: any WorkerService
    private let blobs: any BlobStore
    private let artifacts: (@Sendable (JobID) -> any ArtifactPlace)?
    private let configuration: WorkerConfiguration
    private let logger: Logger

    /// - Parameter artifacts: where the artifacts of a job go; nil for a worker that only hashes and encodes.
    public init(
        service: any WorkerService, blobs: any BlobStore, artifacts: (@Sendable (JobID) -> any ArtifactPlace)?,
        configuration: WorkerConfiguration, logger: Logger
    ) {
        self.service = service
        self.blobs = blobs
        self.artifacts = artifacts
        self.configuration = configuration
        self.logger = logger
    }

    /// Works until the task is cancelled, or until nothing came for `exitWhenIdle`. After a cancellation no item is
    /// begun; those in work are finished within `drainLimit` or given back, and the call returns without an error.
    /// - Throws: what makes work impossible: `.unauthorized`, `.usage`, and why cards that computed models do not any more.
    public func run() async throws {
        MemoryPolicy.apply()
        let stop = Signal()
        let loop = WorkerLoop(
            service: service, blobs: blobs, artifacts: artifacts, configuration: configuration, logger: logger,
            stop: stop)
        // A task of its own: what is left to do after a cancellation must not be cancelled itself.
        let running = Task { try await loop.run() }
        try await withTaskCancellationHandler {
            try await running.value
        } onCancel: {
            stop.fire()
        }
    }
}
