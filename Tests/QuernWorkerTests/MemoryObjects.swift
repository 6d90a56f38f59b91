import QuernFormats
import QuernStore
import Synchronization

/// Artifacts as objects in memory, which arrive in small parts; a test can damage them and have uploads fail.
final class MemoryObjects: ArtifactObjects {
    struct State {
        var objects: [String: [UInt8]] = [:]
        var uploads = 0
        var abandoned = 0
        /// Parts that find nobody, and those that are refused.
        var away = 0
        var refused = 0
        /// Whether the last byte of an object is another once its parts are joined.
        var damages = false
        /// In the order in which files appeared.
        var order: [String] = []
    }
    let state = Mutex(State())
    private let bytes: Int

    init(partBytes: Int) { bytes = partBytes }

    var objects: [String: [UInt8]] { state.withLock { $0.objects } }

    let path = "memory://objects"
    let largestFile: UInt64 = 1 << 40
    func partBytes(_ size: UInt64) -> Int { bytes }
    func path(of name: String) throws -> String { "\(path)/\(name)" }
    func below(_ folder: String) -> any ArtifactObjects { self }
    func checkWritable() async throws {}

    func write(_ bytes: [UInt8], as name: String) throws {
        state.withLock {
            $0.objects[name] = bytes
            $0.order.append(name)
        }
    }

    func begin(_ name: String, size: UInt64) async throws -> any ArtifactUpload {
        state.withLock { $0.uploads += 1 }
        return Upload(name: name, store: self)
    }

    func open(_ name: String) async throws -> any ArtifactObject {
        guard let bytes = objects[name] else { throw QuernError(.notFound, "there is no such object", at: name) }
        return Object(name: name, bytes: bytes, store: self)
    }

    private final class Upload: ArtifactUpload {
        let name: String
        let store: MemoryObjects
        let parts = Mutex<[Int: [UInt8]]>([:])
        var partBytes: Int { store.bytes }

        init(name: String, store: MemoryObjects) { (self.name, self.store) = (name, store) }

        func put(_ bytes: [UInt8], at index: Int) async throws -> Digest {
            try store.state.withLock { state in
                if state.away > 0 {
                    state.away -= 1
                    throw QuernError(.unavailable, "away")
                }
                if state.refused > 0 {
                    state.refused -= 1
                    throw QuernError(.unauthorized, "refused")
                }
            }
            parts.withLock { $0[index] = bytes }
            return Digest(of: bytes)
        }

        func finish() async throws -> any ArtifactObject {
            var bytes = parts.withLock { parts in parts.sorted { $0.key < $1.key }.flatMap(\.value) }
            store.state.withLock { state in
                if state.damages { bytes[bytes.count - 1] ^= 1 }
                state.objects[name] = bytes
                state.order.append(name)
            }
            return try await store.open(name)
        }

        func abandon() async { store.state.withLock { $0.abandoned += 1 } }
    }

    private struct Object: ArtifactObject {
        let name: String
        let bytes: [UInt8]
        let store: MemoryObjects
        var size: UInt64 { UInt64(bytes.count) }
        let pieceBytes: UInt64 = 1 << 20
        func bytes(_ range: Range<UInt64>) async throws -> [UInt8] {
            Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
        }
        func remove() async throws { store.state.withLock { $0.objects[name] = nil } }
    }
}
