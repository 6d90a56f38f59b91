import Foundation
import Logging
import QuernFormats
import QuernJobs
import QuernKernels
import QuernStore
import QuernWorker
import Synchronization
import TestSupport

/// Blobs in memory, without pieces; a test can hold its readers back, and lose or damage blobs.
final class MemoryBlobStore: BlobStore {
    private let blobs = Mutex<[Digest: [UInt8]]>([:])
    private struct Gate {
        var isOpen = true
        var readers: [CheckedContinuation<Void, Never>] = []
        var watchers: [CheckedContinuation<Void, Never>] = []
    }
    private let gate = Mutex(Gate())
    private let trouble = Mutex((times: 0, code: QuernError.Code.io))

    /// From now on readers wait.
    func close() { gate.withLock { $0.isOpen = false } }

    func open() {
        let readers = gate.withLock { gate in
            gate.isOpen = true
            defer { gate.readers = [] }
            return gate.readers
        }
        for reader in readers { reader.resume() }
    }

    /// Returns when a reader waits.
    func waitForReader() async {
        await withCheckedContinuation { continuation in
            let ready = gate.withLock { gate in
                if gate.readers.isEmpty { gate.watchers.append(continuation) }
                return !gate.readers.isEmpty
            }
            if ready { continuation.resume() }
        }
    }

    private func pass() async {
        await withCheckedContinuation { continuation in
            let (isOpen, watchers) = gate.withLock { gate in
                if gate.isOpen { return (true, [CheckedContinuation<Void, Never>]()) }
                gate.readers.append(continuation)
                defer { gate.watchers = [] }
                return (false, gate.watchers)
            }
            if isOpen { continuation.resume() }
            for watcher in watchers { watcher.resume() }
        }
    }

    func contains(_ digest: Digest) -> Bool { blobs.withLock { $0[digest] != nil } }

    /// The next so many reads and writes throw an error of this kind.
    func fail(_ times: Int, _ code: QuernError.Code) { trouble.withLock { $0 = (times, code) } }

    private func failIfTold() throws {
        try trouble.withLock { trouble in
            guard trouble.times > 0 else { return }
            trouble.times -= 1
            throw QuernError(trouble.code, "thrown for the test")
        }
    }

    func put(_ bytes: [UInt8]) throws -> Digest {
        try failIfTold()
        let digest = Digest(of: bytes)
        blobs.withLock { $0[digest] = bytes }
        return digest
    }

    func remove(_ digest: Digest) { blobs.withLock { $0[digest] = nil } }

    func get(_ digest: Digest) async throws -> [UInt8] {
        await pass()
        try failIfTold()
        guard let bytes = blobs.withLock({ $0[digest] }) else {
            throw QuernError(.notFound, "there is no blob \(digest)")
        }
        return bytes
    }
}

extension Array<Float> {
    /// Reproducible values around 0.
    static func noise(_ count: Int, seed: UInt64) -> [Float] {
        var state = seed
        return (0..<count).map { _ in
            // Knuth's MMIX generator; the upper bits are good.
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 33)) / Float(Int32.max) * 0.1
        }
    }

    /// The values as stored in `type`, little-endian.
    func stored(as type: ElementType, columns: Int, importance: [Float]? = nil) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: type.bytes(elements: count) ?? 0) { buffer, initialized in
            withUnsafeBufferPointer { values in
                let output = UnsafeMutableRawBufferPointer(buffer)
                if let importance {
                    importance.withUnsafeBufferPointer {
                        Kernels.encode(type, rows: values, columns: columns, importance: $0, into: output)
                    }
                } else {
                    Kernels.encode(type, rows: values, columns: columns, importance: nil, into: output)
                }
            }
            initialized = buffer.count
        }
    }
}

extension ElementType {
    /// The values of blocks.
    func values(_ bytes: [UInt8]) -> [Float] {
        let count = bytes.count / blockBytes * blockSize
        return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            bytes.withUnsafeBytes { Kernels.decode(self, bytes: $0, into: buffer) }
            initialized = count
        }
    }
}

/// A folder with a source, a blob store and room for artifacts.
struct Workbench {
    let folder: TemporaryFolder
    let blobs: FolderBlobStore

    init() throws {
        folder = try TemporaryFolder()
        blobs = try FolderBlobStore(root: folder.path("blobs"))
    }

    var output: String { folder.path("output") }

    /// Writes a source file and describes it.
    func source(_ bytes: [UInt8], name: String = "model.bin") throws -> SourceFile {
        let path = try folder.write(bytes, to: name)
        let file = try FileByteSource(path: path)
        return SourceFile(path: path, name: name, size: file.size, modified: file.modified)
    }

    func worker(
        _ service: any WorkerService, blobs: (any BlobStore)? = nil, parts: WorkerConfiguration.Parts = .shared,
        slots: Int = 2, memory: Int64 = 1 << 30, objects: (any ArtifactObjects)? = nil,
        exitWhenIdle: Duration? = .milliseconds(300), drainLimit: Duration = .seconds(60)
    ) -> Worker {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let place: any ArtifactPlace = if let objects { objects } else { ArtifactFolder(root: output) }
        return Worker(
            service: service, blobs: blobs ?? self.blobs, artifacts: { _ in place },
            configuration: WorkerConfiguration(
                node: "test", slots: slots, memory: memory, parts: parts, exitWhenIdle: exitWhenIdle,
                claimWait: .milliseconds(50), drainLimit: drainLimit,
                retryPause: .milliseconds(1)...(.milliseconds(5))),
            logger: logger)
    }

    /// Runs a single item to its end.
    func run(_ payload: WorkPayload, blobs: (any BlobStore)? = nil) async throws -> MemoryService.Item {
        let service = MemoryService([PlannedItem(payload: payload, cost: 1, memory: 1, label: "item")])
        try await worker(service, blobs: blobs).run()
        return await service.items[0]
    }
}
