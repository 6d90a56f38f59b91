import QuernFormats
import QuernJobs
import QuernStore
import Testing

/// Tokens of leases say which lease they are of, and nobody but a coordinator can make one.
@Suite struct LeaseTokenTests {
    private let secret = [UInt8](repeating: 7, count: 32)
    private let lease = Lease(
        item: WorkItemID(job: JobID(rawValue: "01jd3k9x"), ordinal: 17), id: "0191c0de-ab12", fence: 3)

    @Test func tokenGivesTheLeaseBack() {
        let token = LeaseToken.make(for: lease, secret: secret)
        #expect(token.hasPrefix("quern_lease_303") && token.utf8.count == 12 + 2 * 27 + 1 + 64)
        let found = LeaseToken.lease(of: token, secret: secret)
        #expect(found == lease && found?.token == nil)
        #expect(LeaseToken.make(for: lease, secret: secret) == token)
        #expect(LeaseToken.lease(of: token, secret: [UInt8](repeating: 8, count: 32)) == nil)
    }

    @Test func changedTokenIsNone() {
        let token = Array(LeaseToken.make(for: lease, secret: secret).utf8)
        for position in token.indices {
            for byte in "0123456789abcdefABCDEF_g".utf8 where byte != token[position] {
                var changed = token
                changed[position] = byte
                let found = LeaseToken.lease(of: String(decoding: changed, as: UTF8.self), secret: secret)
                // Digits of the content may be capitals: that is the same content.
                #expect(found == nil || found == lease, "\(position) \(byte)")
                if found != nil { #expect(changed[position] >= 65 && changed[position] <= 70) }
            }
        }
        for count in 0..<token.count {
            #expect(LeaseToken.lease(of: String(decoding: token[..<count], as: UTF8.self), secret: secret) == nil)
        }
    }

    /// Content that was not made from a lease, under a code that fits.
    @Test(arguments: ["", "a\n1\n2", "a\nx\n2\nb", "a\n1\n99999999999999999999\nb", "a\n1\n2\nb\nc"])
    func contentThatIsNoLeaseIsNone(content: String) {
        let bytes = Array(content.utf8)
        let hex = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let code = MessageAuthentication.code(of: bytes, key: secret)
        #expect(LeaseToken.lease(of: "quern_lease_\(hex)_\(code)", secret: secret) == nil)
    }

    @Test func leasesAreEqualWhateverTheirTokens() {
        #expect(lease.showing("a") == lease && lease.showing("a").hashValue == lease.hashValue)
        #expect(lease.showing("a").token == "a" && lease.showing("a").showing(nil).token == nil)
        #expect(Lease(item: lease.item, id: lease.id, fence: 4) != lease)
    }

    @Test(arguments: ItemState.allCases) func leaseCountsWhileNobodyElseHasClaimed(state: ItemState) {
        let isTaken = state == .ready || state == .blocked
        #expect(lease.counts(state: state, fence: 3, leaseID: lease.id) == (state == .leased))
        #expect(lease.counts(state: state, fence: 4, leaseID: lease.id) == isTaken)
        #expect(!lease.counts(state: state, fence: 5, leaseID: lease.id))
        #expect(!lease.counts(state: state, fence: 3, leaseID: "another"))
        #expect(!lease.counts(state: state, fence: 4, leaseID: nil))
    }
}
