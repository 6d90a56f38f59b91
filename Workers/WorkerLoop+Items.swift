import Logging
import QuernFormats
import QuernJobs
import QuernStore

/// The way of an item: computed on one thread, made safe on another, handed in by a task.
extension WorkerLoop {
    /// Begins what free slots and memory allow.
    func beginItems() {
        while !stop.isFired, let item = held.beginNext() { begin(item) }
    }

    private func begin(_ item: HeldItem) {
        let claim = item.claim
        let control = item.control
        let access = service.access(under: claim.lease, to: blobs.store)
        let lookUp: @Sendable ([Digest]) throws -> [Digest: Part] = { [retry] keys in
            try blocking {
                try await retry.call("look-up", until: control.dropped) { try await access.lookUp(keys) }
            }
        }
        let context = StageContext(
            blobs: BlobAccess(store: access.blobs, retry: retry), control: control, scratch: scratch,
            engine: configuration.engine,
            lookUp: configuration.parts == .shared ? lookUp : nil, files: artifactFiles(of: claim.lease.item.job),
            inputs: claim.inputs, threads: min(configuration.slots, claim.payload.parallelism ?? configuration.slots))
        computing.submit {
            let outcome = Result {
                try control.check()
                return try claim.payload.run(in: context)
            }
            Task { await self.computed(item, outcome) }
        }
    }

    private func artifactFiles(of job: JobID) -> ArtifactFiles? {
        guard let place = artifacts?(job) else { return nil }
        guard configuration.parts == .inPlace, let folder = place as? ArtifactFolder else {
            return ArtifactFiles(place: place, open: nil)
        }
        let open = openArtifacts[job] ?? OpenArtifacts(folder: folder, owner: job.rawValue)
        openArtifacts[job] = open
        return ArtifactFiles(place: folder, open: open)
    }

    private func computed(_ item: HeldItem, _ outcome: Result<StageOutcome, any Error>) async {
        switch outcome {
        case .success(let outcome):
            guard held[item.claim.lease] != nil else { return }
            held.finishing(item.claim.lease)
            movedOn()
            finishing.submit {
                let completion = Result { try outcome.commit() }
                Task { await self.finished(item, completion) }
            }
        case .failure(let error):
            await failed(item, error)
        }
    }

    private func finished(_ item: HeldItem, _ outcome: Result<Completion, any Error>) async {
        let lease = item.claim.lease
        let completion: Completion
        do { completion = try outcome.get() } catch { return await failed(item, error) }
        do {
            try await retry.call("hand in item \(lease.item.ordinal)", until: ended) { [service] in
                try await service.complete(lease, completion)
            }
        } catch let error as QuernError where error.code == .conflict || error.code == .notFound {
            // Somebody else has the item now, or nobody wants it any more.
            logger.info("item \(lease.item.ordinal) of job \(lease.item.job): \(error)")
        } catch {
            return await failed(item, error)
        }
        done(lease)
    }

    /// Reports a failure, or gives the item back where it was only interrupted. A lost item is nobody's failure.
    private func failed(_ item: HeldItem, _ error: any Error) async {
        let lease = item.claim.lease
        guard held[lease] != nil else { return }
        if error is CancellationError {
            await release(lease)
        } else if let loss = error as? ForwardLoss {
            await release(lease)
            end(for: loss.error)
        } else {
            let failure = WorkFailure(error)
            logger.warning("item \(lease.item.ordinal) of job \(lease.item.job): \(failure.message)")
            do {
                try await retry.call("report item \(lease.item.ordinal)", until: ended) { [service] in
                    try await service.fail(lease, failure)
                }
            } catch {
                logger.info("item \(lease.item.ordinal): \(error)")
            }
        }
        done(lease)
    }

    /// Gives an item back undone.
    func release(_ lease: Lease) async {
        do {
            try await retry.call("release item \(lease.item.ordinal)", until: ended) { [service] in
                try await service.release(lease)
            }
        } catch {
            logger.debug("item \(lease.item.ordinal): \(error)")
        }
    }

    private func done(_ lease: Lease) {
        held.remove(lease)
        movedOn()
    }
}
