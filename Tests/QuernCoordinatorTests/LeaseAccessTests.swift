import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QuernClient
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import TestSupport
import Testing

/// A lease's token opens what belongs to its item, for as long as it holds, and nothing else.
@Suite struct LeaseAccessTests {
    /// Sessions outlast any test, however busy the machine is: nobody says here that they live.
    private func rig(on store: (any JobStore)? = nil) async throws -> ServiceRig {
        try await ServiceRig.make(store: store) { $0.expiry = .seconds(3600) }
    }

    /// A worker with a token, and what it has claimed.
    private func work(
        on rig: ServiceRig, limit: Int = 3,
        _ body: (_ client: CoordinatorClient, _ claims: [Claim], _ blobs: HTTPBlobStore) async throws -> Void
    ) async throws {
        let token = try NewAccessToken(name: "worker", scopes: [.work])
        try await rig.store.insertToken(token)
        try await rig.submit()
        try await rig.serve { open in
            let client = try CoordinatorClient(url: open.url, token: token.secret)
            let blobs = try HTTPBlobStore(url: open.url, token: token.secret)
            let session = try await client.openSession(ServiceRig.worker).session
            try await body(client, try await client.claim(session, limit: limit, wait: .zero), blobs)
        }
    }

    private func expect(
        _ code: QuernError.Code, _ words: String = "", at location: SourceLocation = #_sourceLocation,
        _ body: () async throws -> Void
    ) async {
        let error = await #expect(throws: QuernError.self, sourceLocation: location) { try await body() }
        #expect(error?.code == code, "\(String(describing: error))", sourceLocation: location)
        let isTold = words.isEmpty || error?.description.contains(words) == true
        #expect(isTold, "\(String(describing: error))", sourceLocation: location)
    }

    @Test func workersTokenAloneOpensNothingOfAnItem() async throws {
        let rig = try await self.rig()
        try await work(on: rig) { client, claims, blobs in
            let lease = claims[0].lease.showing(nil)
            let words = "it takes the token of a lease"
            await expect(.unauthorized, words) { _ = try await blobs.get(try await rig.blobs.put([1])) }
            await expect(.unauthorized) { try await blobs.put([1, 2]) }
            await expect(.unauthorized, words) { try await client.complete(lease, Sample.completion("a")) }
            await expect(.unauthorized, words) { try await client.fail(lease, Sample.failure(.transient)) }
            await expect(.unauthorized, words) { try await client.release(lease) }
            await expect(.unauthorized, words) { _ = try await client.lookUp([Sample.digest("a")]) }
        }
    }

    @Test func tokenEndsWithItsLease() async throws {
        let rig = try await self.rig()
        try await work(on: rig) { client, claims, blobs in
            let access = client.access(under: claims[0].lease, to: blobs)
            let made = Array("part 0".utf8)
            let digest = try await access.blobs.put(made)
            #expect(try await access.blobs.contains(digest))
            #expect(try await access.lookUp([Sample.digest("unknown")]).isEmpty)
            // What it made is no input.
            await expect(.unauthorized, "does not name the blob") { _ = try await access.blobs.get(digest) }
            try await client.complete(claims[0].lease, Sample.completion("part 0"))
            try await client.complete(claims[0].lease, Sample.completion("part 0"))
            await expect(.conflict) { try await access.blobs.put([9]) }
            await expect(.conflict) { _ = try await access.lookUp([digest]) }

            let other = client.access(under: claims[1].lease, to: blobs)
            try await client.release(claims[1].lease)
            await expect(.conflict) { try await other.blobs.put([9]) }
            try await client.fail(claims[2].lease, Sample.failure(.transient))
            await expect(.conflict) {
                try await client.access(under: claims[2].lease, to: blobs).blobs.put([9])
            }
        }
    }

    @Test func tokenIsForOneLeaseAndForNoOtherCall() async throws {
        let rig = try await self.rig()
        try await work(on: rig) { client, claims, _ in
            let stolen = claims[0].lease.showing(claims[1].lease.token)
            await expect(.unauthorized, "of another lease") {
                try await client.complete(stolen, Sample.completion("a"))
            }
            let token = try #require(claims[0].lease.token)
            let lessee = try CoordinatorClient(url: client.url, token: token)
            await expect(.unauthorized) { _ = try await lessee.jobs(limit: 1) }
            await expect(.unauthorized) { _ = try await lessee.openSession(ServiceRig.worker) }
            let forged = try HTTPBlobStore(url: client.url, token: String(token.dropLast()) + "x")
            await expect(.unauthorized, "token of the lease is not valid") { _ = try await forged.get(Digest(of: [])) }
        }
    }

    /// Headers and parts of an assembly are named by its payload and by what it depends on.
    @Test func inputsAreThoseThatTheItemNames() async throws {
        let rig = try await self.rig()
        try await work(on: rig) { client, claims, blobs in
            for claim in claims {
                let access = client.access(under: claim.lease, to: blobs)
                try await access.blobs.put(Array("part \(claim.lease.item.ordinal)".utf8))
                try await client.complete(claim.lease, try rig.completion(of: claim))
            }
            _ = try await rig.store.resolve()
            let session = try await client.openSession(ServiceRig.worker).session
            let assemble = try #require(try await client.claim(session, limit: 1, wait: .zero).first)
            #expect(assemble.payload.stage == .assemble)
            let access = client.access(under: assemble.lease, to: blobs)
            for bytes in [ServiceRig.header, Array("part 0".utf8), Array("part 2".utf8)] {
                #expect(try await access.blobs.get(Digest(of: bytes)) == bytes)
            }
            let secret = try await rig.blobs.put(Array("another's".utf8))
            await expect(.unauthorized) { _ = try await access.blobs.get(secret) }
            // Ways of writing a name that the route might take for another.
            for place in ["/v1/blobs/%\(secret.hex)", "/v1/blobs/x/../\(secret.hex)", "//v1//blobs//\(secret.hex)"] {
                try await rig.route { router in
                    let response = try await router.execute(
                        uri: place, method: .get,
                        headers: [.authorization: "Bearer \(assemble.lease.token ?? "")"])
                    #expect([400, 401, 403, 404].contains(response.status.code), "\(place) \(response.status)")
                }
            }
        }
    }

    /// What a look-up finds, and what stands in that.
    @Test func trailsLeadToBlobs() async throws {
        let rig = try await self.rig()
        let inner = try await rig.blobs.put(Array("inner".utf8))
        let list = Array("\(inner) name\n".utf8)
        let listed = try await rig.blobs.put(list)
        let key = Sample.digest("key")
        let part = Part(digest: listed, bytes: UInt64(list.count), squaredError: 0, squaredNorm: 0)
        // Some other job has left it.
        let other = try await rig.submit("other")
        let session = try await rig.coordinator.openSession(ServiceRig.worker).session
        let before = try #require(try await rig.coordinator.claim(session, limit: 1, wait: .zero).first)
        try await rig.coordinator.complete(
            before.lease,
            Completion(result: .encode(EncodeResult(parts: [part])), cache: [.init(key: key, part: part)]))
        _ = try await rig.coordinator.control(other.id, .cancel)

        try await work(on: rig, limit: 1) { client, claims, blobs in
            let lease = claims[0].lease
            let access = client.access(under: lease, to: blobs)
            await expect(.unauthorized) { _ = try await access.blobs.get(listed) }
            #expect(try await access.lookUp([key]) == [key: part])
            await expect(.unauthorized) { _ = try await access.blobs.get(inner) }
            #expect(try await access.blobs.get(listed) == list)
            #expect(try await access.blobs.get(inner) == Array("inner".utf8))
            // A trail that begins anywhere else leads nowhere.
            let own = Array("\(inner)".utf8)
            let planted = try await access.blobs.put(own)
            try await rig.route { router in
                for trail in ["blob:\(planted)", "key:\(planted)", "blob:\(listed)", "x:\(listed)", "", ":", "key:"] {
                    let response = try await router.execute(
                        uri: "/v1/blobs/\(inner)", method: .get,
                        headers: [
                            .authorization: "Bearer \(lease.token ?? "")",
                            HTTPField.Name("Quern-Trail")!: trail,
                        ])
                    #expect(response.status == .forbidden, "\(trail)")
                }
            }
        }
    }

    /// The store's secret is everybody's: any coordinator takes the token of any other.
    @Test func coordinatorsTakeEachOthersTokens() async throws {
        let rig = try await self.rig()
        let second = try await self.rig(on: rig.store)
        try await work(on: rig, limit: 1) { _, claims, _ in
            let token = try #require(claims[0].lease.token)
            try await second.serve { open in
                let blobs = try HTTPBlobStore(url: open.url, token: token)
                let digest = try await blobs.put([1, 2, 3])
                #expect(try await second.blobs.contains(digest))
            }
        }
    }

    @Test func withoutTokensLeasesHaveNone() async throws {
        let rig = try await self.rig()
        try await rig.submit()
        try await rig.serve { client in
            let session = try await client.openSession(ServiceRig.worker).session
            let claim = try #require(try await client.claim(session, limit: 1, wait: .zero).first)
            #expect(claim.lease.token == nil)
            try await client.complete(claim.lease, try rig.completion(of: claim))
        }
    }
}
