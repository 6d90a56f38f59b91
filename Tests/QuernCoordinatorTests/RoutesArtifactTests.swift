import Foundation
import Hummingbird
import HummingbirdTesting
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import Testing

@Suite struct RoutesArtifactTests {
    private static let tag = "\"\(Digest(of: ServiceRig.artifact).hex)\""
    private static let count = ServiceRig.artifact.count

    /// A rig with a job that is done, and the path of its artifact.
    private func done() async throws -> (ServiceRig, JobRecord, String) {
        let rig = try await ServiceRig.make()
        let job = try await rig.finish(try await rig.submit())
        #expect(job.state == .done)
        return (rig, job, "/v1/jobs/\(job.id)/artifacts/sub/tiny-Q8_0.gguf")
    }

    @Test func listing() async throws {
        let (rig, job, _) = try await done()
        try await rig.route { client in
            let list: Wire.Artifacts = try await client.execute(
                uri: "/v1/jobs/\(job.id)/artifacts", method: .get
            ).json()
            #expect(
                list.artifacts == [
                    OutputFile(
                        target: "Q8_0", name: "sub/tiny-Q8_0.gguf", bytes: UInt64(Self.count),
                        sha256: Digest(of: ServiceRig.artifact)),
                    OutputFile(
                        target: nil, name: "manifest.json", bytes: UInt64(ServiceRig.manifest.count),
                        sha256: Digest(of: ServiceRig.manifest)),
                ])
        }
    }

    @Test func whole() async throws {
        let (rig, job, path) = try await done()
        try await rig.route { client in
            let response = try await client.execute(uri: path, method: .get)
            #expect(response.status == .ok)
            #expect(response.bytes == ServiceRig.artifact)
            #expect(response.headers[.eTag] == Self.tag)
            #expect(response.headers[.acceptRanges] == "bytes")
            #expect(response.headers[.contentLength] == "\(Self.count)")
            let head = try await client.execute(uri: path, method: .head)
            #expect(head.status == .ok)
            #expect(head.bytes.isEmpty)
            #expect(head.headers[.contentLength] == "\(Self.count)")
            let escaped = try await client.execute(
                uri: "/v1/jobs/\(job.id)/artifacts/sub%2Ftiny%2DQ8_0.gguf", method: .get)
            #expect(escaped.bytes == ServiceRig.artifact)
            for manifest in ["manifest", "artifacts/manifest.json"] {
                let response = try await client.execute(uri: "/v1/jobs/\(job.id)/\(manifest)", method: .get)
                #expect(response.bytes == ServiceRig.manifest)
                #expect(response.headers[.contentType] == "application/json")
            }
        }
    }

    @Test(arguments: [
        ("bytes=0-0", 0..<1), ("bytes=5-9", 5..<10), ("bytes=30-", 30..<count), ("bytes=-4", count - 4..<count),
        ("bytes=30-1000", 30..<count), ("bytes=-1000", 0..<count), ("bytes = 1-2", 0..<0), ("bytes=2-1", 0..<0),
        ("bytes=0-1,4-5", 0..<0), ("lines=1-2", 0..<0), ("bytes=a-b", 0..<0), ("bytes=-", 0..<0),
    ])
    func ranges(_ range: String, _ expected: Range<Int>) async throws {
        let (rig, _, path) = try await done()
        try await rig.route { client in
            let response = try await client.execute(uri: path, method: .get, headers: [.range: range])
            guard !expected.isEmpty else {
                // What is not understood is not obeyed.
                #expect(response.status == .ok)
                #expect(response.bytes == ServiceRig.artifact)
                return
            }
            #expect(response.status == .partialContent)
            #expect(response.bytes == Array(ServiceRig.artifact[expected]))
            #expect(
                response.headers[.contentRange]
                    == "bytes \(expected.lowerBound)-\(expected.upperBound - 1)/\(Self.count)")
            #expect(response.headers[.contentLength] == "\(expected.count)")
        }
    }

    @Test(arguments: ["bytes=39-", "bytes=1000-2000", "bytes=-0", "bytes=99999999999999999999-"])
    func rangesBeyondTheEnd(_ range: String) async throws {
        let (rig, _, path) = try await done()
        #expect(Self.count == 39)
        try await rig.route { client in
            let response = try await client.execute(uri: path, method: .get, headers: [.range: range])
            _ = try response.problem(416)
            #expect(response.headers[.contentRange] == "bytes */\(Self.count)")
        }
    }

    @Test func conditions() async throws {
        let (rig, _, path) = try await done()
        try await rig.route { client in
            let same = try await client.execute(
                uri: path, method: .get, headers: [.range: "bytes=3-", .ifRange: Self.tag])
            #expect(same.status == .partialContent)
            let other = try await client.execute(
                uri: path, method: .get, headers: [.range: "bytes=3-", .ifRange: "\"other\""])
            #expect(other.status == .ok)
            #expect(other.bytes == ServiceRig.artifact)
            for known in [Self.tag, "\"x\", \(Self.tag)", "W/\(Self.tag)", "*"] {
                let response = try await client.execute(uri: path, method: .get, headers: [.ifNoneMatch: known])
                #expect(response.status == .notModified)
                #expect(response.bytes.isEmpty)
            }
        }
    }

    @Test(arguments: [
        "../jobs.sqlite", "..%2Fjobs.sqlite", "sub/../../../jobs.sqlite", "sub", "tiny-Q8_0.gguf", "/etc/passwd",
        "%00", "sub/tiny-Q8_0.gguf.part",
    ])
    func namesThatAreNoFiles(_ name: String) async throws {
        let (rig, job, _) = try await done()
        try await rig.route { client in
            let response = try await client.execute(uri: "/v1/jobs/\(job.id)/artifacts/\(name)", method: .get)
            #expect(try response.problem(404).code == .notFound)
        }
    }

    @Test func filesThatAreNotThere() async throws {
        let rig = try await ServiceRig.make()
        let job = try await rig.submit()
        try await rig.route { client in
            for name in ["artifacts/sub/tiny-Q8_0.gguf", "manifest"] {
                let response = try await client.execute(uri: "/v1/jobs/\(job.id)/\(name)", method: .get)
                #expect(try response.problem(404).detail == "the file is not written yet")
            }
        }
    }

    @Test func filesThatWereChanged() async throws {
        let (rig, job, path) = try await done()
        let file = rig.folder.path("out/\(job.id)/sub/tiny-Q8_0.gguf")
        try Data("shorter".utf8).write(to: URL(fileURLWithPath: file))
        try await rig.route { client in
            let answer1 = try await client.execute(uri: path, method: .get)
            #expect(try answer1.problem(500).code == .corrupted)
        }
        try FileManager.default.removeItem(atPath: file)
        try await rig.route { client in
            let answer2 = try await client.execute(uri: path, method: .get)
            #expect(try answer2.problem(404).code == .notFound)
        }
    }

    @Test func rangeArithmetic() {
        #expect(ByteRange(header: "bytes=0-18446744073709551615", size: 10) == .part(0..<10))
        #expect(ByteRange(header: "bytes=0-", size: 0) == .unsatisfiable)
        #expect(ByteRange(header: "bytes=-5", size: 0) == .unsatisfiable)
        #expect(
            ByteRange(header: "bytes=18446744073709551614-18446744073709551615", size: .max) == .part(.max - 1 ..< .max)
        )
        #expect(ByteRange(header: nil, size: 10) == .whole)
    }
}
