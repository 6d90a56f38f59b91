import Foundation
import QuernFormats
import QuernJobs
import QuernStore
import Testing

/// What becomes of blobs that planning stored, and that are lost.
@Suite struct ServiceRestorationTests {
    @Test func aPlannedBlobIsStoredAgain() async throws {
        let rig = try await ServiceRig.make()
        let job = try await rig.submit()
        let header = Digest(of: ServiceRig.header)
        // As the store does with what it finds damaged.
        let path = rig.folder.path(
            "blobs/sha256/\(header.hex.prefix(2))/\(header.hex.dropFirst(2).prefix(2))/\(header.hex)")
        try FileManager.default.removeItem(atPath: path)
        try #require(try await !rig.blobs.contains(header))

        let session = try await rig.coordinator.openSession(ServiceRig.worker).session
        let claim = try #require(try await rig.coordinator.claim(session, limit: 1, wait: .zero).first)
        try await rig.coordinator.fail(
            claim.lease, WorkFailure(class: .transient, message: "something else", blobs: [header]))
        #expect(try await !rig.blobs.contains(header))
        let other = try #require(try await rig.coordinator.claim(session, limit: 1, wait: .zero).first)
        let unknown = Digest(of: Array("unknown".utf8))
        try await rig.coordinator.fail(
            other.lease, WorkFailure(class: .lostInput, message: "gone", blobs: [unknown, header]))
        #expect(try await rig.blobs.get(header) == ServiceRig.header)
        #expect(try await !rig.blobs.contains(unknown))
        #expect(try await rig.coordinator.job(job.id).state == .running)
    }
}
