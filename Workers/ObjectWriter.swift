import Dispatch
import QuernFormats
import QuernStore

/// Gathers the bytes of an object, in their order, into the parts of an upload, which go out while the next ones come.
/// For one thread.
final class ObjectWriter {
    /// Parts that are on their way at once; one more is being filled.
    static let partsAtOnce = 3

    private let upload: any ArtifactUpload
    private let context: StageContext
    private let progress: ByteProgress
    private let room = DispatchSemaphore(value: partsAtOnce)
    private let onTheirWay = DispatchGroup()
    private let digests = Mutexed<[Int: Digest]>([:])
    private let failure = Mutexed<(any Error)?>(nil)
    private var hasher = SHA256Hasher()
    private var part: [UInt8] = []
    private var sent = 0

    /// Bytes so far.
    private(set) var offset: UInt64 = 0

    init(upload: any ArtifactUpload, context: StageContext, progress: ByteProgress) {
        self.upload = upload
        self.context = context
        self.progress = progress
    }

    /// Blocks while too many parts are on their way.
    /// - Throws: what sending an earlier part threw.
    func append(_ bytes: UnsafeRawBufferPointer) throws {
        hasher.update(bytes)
        offset += UInt64(bytes.count)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = min(rest.count, upload.partBytes - part.count)
            part.append(contentsOf: rest.prefix(count))
            rest = rest.dropFirst(count)
            if part.count == upload.partBytes { try send() }
        }
    }

    /// Sends what is left, and waits until all parts are stored.
    /// - Returns: the digest of all bytes.
    func finish() throws -> Digest {
        if !part.isEmpty { try send() }
        wait()
        if let error = failure.get() { throw error }
        return hasher.finish()
    }

    /// Returns when nothing is on its way any more.
    func wait() { onTheirWay.wait() }

    /// The digests of all parts; after `finish`.
    func parts() throws -> [Digest] {
        let digests = digests.get()
        return try (0..<sent).map { index in
            guard let digest = digests[index] else {
                throw QuernError(.internalFault, "part \(index) was not sent", at: "upload")
            }
            return digest
        }
    }

    private func send() throws {
        room.wait()
        if let error = failure.get() {
            room.signal()
            throw error
        }
        let (bytes, index) = (part, sent)
        part = []
        part.reserveCapacity(upload.partBytes)
        sent += 1
        onTheirWay.enter()
        Task.detached { [upload, context, progress, digests, failure, room, onTheirWay] in
            do {
                let digest = try await context.blobs.retry.call("upload", until: context.control.dropped) {
                    try await upload.put(bytes, at: index)
                }
                digests.mutate { $0[index] = digest }
                progress.advance(UInt64(bytes.count))
            } catch {
                failure.mutate { if $0 == nil { $0 = error } }
            }
            room.signal()
            onTheirWay.leave()
        }
    }
}
