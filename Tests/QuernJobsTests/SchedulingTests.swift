import QuernJobs
import Testing

/// What a job is said to wait for.
@Suite struct SchedulingTests {
    private typealias Need = Scheduling.Need
    private typealias Offer = Scheduling.Offer
    private static let encode = Need(Capability(.encode), memory: 100)
    private static let onCards = Need(Capability(.calibrate, forward: .cuda), memory: 100)

    @Test func somebodyCanTakeAnItem() {
        let worker = Offer([Capability(.encode)], memory: 100)
        #expect(Scheduling(needs: [], offers: []).obstacle == nil)
        #expect(Scheduling(needs: [Self.encode], offers: [worker]).obstacle == nil)
        #expect(Scheduling(needs: [Self.encode, Self.onCards], offers: [worker]).obstacle == nil)
        let both = [Offer([], memory: 1 << 40), Offer([Capability(.calibrate, forward: .cuda)], memory: 101)]
        #expect(Scheduling(needs: [Self.onCards], offers: both).obstacle == nil)
    }

    @Test(arguments: [[], [Capability(.publish)], [Capability(.calibrate)]])
    func nobodyTakesTheStage(_ capabilities: Set<Capability>) throws {
        let offers = capabilities.isEmpty ? [] : [Offer(capabilities, memory: 1 << 40)]
        let cards = try #require(Scheduling(needs: [Self.onCards], offers: offers).obstacle)
        #expect(cards.contains("no connected worker takes calibrate items with forward: cuda"))
        #expect(cards.contains("--forward cuda"))
        let either = try #require(Scheduling(needs: [Self.onCards, Self.encode], offers: offers).obstacle)
        #expect(either.contains("takes calibrate items with forward: cuda or encode items. Start one: quern worker"))
    }

    /// The item that takes least is the one that could be helped first.
    @Test func nobodyHasTheMemory() throws {
        let more = Need(Capability(.encode), memory: 300)
        let offers = [Offer([Capability(.encode)], memory: 99), Offer([Capability(.publish)], memory: 1 << 40)]
        let obstacle = try #require(Scheduling(needs: [more, Self.encode, Self.onCards], offers: offers).obstacle)
        #expect(obstacle.contains("the 100 bytes of memory that encode items take; the largest has 99"))
        #expect(obstacle.contains("--memory"))
    }
}
