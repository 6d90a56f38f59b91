import Foundation
import QuernCUDA
import QuernFormats
import QuernKernels
import QuernWorker
import TestSupport
import Testing

/// What cards encode: simulated ones, that run the programs for devices on the host.
@Suite struct CardEngineTests {
    /// The bytes of the reference implementation, from the source that cards are given.
    @Test(arguments: EncodingFixture.types)
    func encodesFixtures(_ type: ElementType) throws {
        let fixture = try EncodingFixture(type)
        let rig = try CardRig()
        for (importance, expected) in [(nil, fixture.plain), (fixture.importance, fixture.weighted)] {
            let (cards, processor) = try rig.both(
                type, fixture.rows, columns: EncodingFixture.columns, importance: importance)
            if let expected { #expect(cards.bytes == expected.bytes, "importance: \(importance != nil)") }
            #expect(cards == processor, "importance: \(importance != nil)")
        }
        // The others are copies of a kind, which no card makes.
        guard type.isQuantized else { return }
        try rig.expectTheyDidIt {
            let (wrong, right) = try rig.both(type, fixture.rows, columns: EncodingFixture.columns)
            return wrong == right
        }
    }

    /// Rows of one block and of many, and not as many as a launch has threads.
    @Test(arguments: [ElementType.q4_0, .q5_1, .q8_0, .q3_K, .iq4_xs, .nvfp4], [1, 2, 7])
    func encodesAnyShape(_ type: ElementType, _ blocks: Int) throws {
        let rig = try CardRig()
        let columns = blocks * type.blockSize
        for rows in [1, 3, 65] {
            let values = (0..<rows * columns).map { Float(sin(Double($0) * 0.37) * Double($0 % 13)) }
            let importance = (0..<columns).map { Float($0 % 5) * 0.5 }
            let (cards, processor) = try rig.both(type, values, columns: columns, importance: importance)
            #expect(cards == processor)
        }
    }

    /// Values that are BF16 numbers travel as such; one that is none, wherever it is, keeps its last digits.
    @Test(arguments: [nil, 0, 4095, 4096, 9999])
    func rowsTravelWithAllTheirDigits(_ odd: Int?) throws {
        let rig = try CardRig()
        var values = (0..<10_240).map { index -> Float in
            Float(bitPattern: Float(sin(Double(index)) * pow(10, Double(index % 7) - 3)).bitPattern & 0xffff_0000)
        }
        values[77] = -0.0
        if let odd { values[odd] = Float(bitPattern: 0x3f9d_0001) }
        let (cards, processor) = try rig.both(.q8_0, values, columns: 512)
        #expect(cards.error == processor.error)
        let isEqual = cards.bytes == processor.bytes
        #expect(isEqual)
    }

    /// Several threads, several cards, types one after the other: buffers and tables are of the right call.
    @Test func encodesSideBySide() async throws {
        let rig = try CardRig(["CARDS": "2"])
        let types: [ElementType] = [.q4_K, .iq2_xxs, .q8_0, .iq3_s, .q6_K]
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for call in 0..<20 {
                group.addTask {
                    let values = (0..<1024).map { Float(($0 &* 7919 &+ call &* 104729) % 251 - 125) * 0.01 }
                    let (cards, processor) = try rig.both(
                        types[call % types.count], values, columns: 512, importance: values.prefix(512).map(abs))
                    return cards == processor
                }
            }
            for try await isEqual in group { #expect(isEqual) }
        }
    }

    private static let values = (0..<2048).map { Float(sin(Double($0))) }

    /// What fails on a card is done by the processor: first it is the card's memory, then the card itself.
    @Test(arguments: [
        "cuMemAlloc_v2:1+:2", "cuMemHostAlloc:1+:2", "cuLaunchKernel:1:719", "cuLaunchKernel:2:1",
        "cuMemcpyHtoDAsync_v2:1:700",
        "cuMemcpyDtoHAsync_v2:2:214", "cuEventSynchronize:1:999", "cuStreamCreate:1+:2",
    ])
    func fallsBack(_ failure: String) throws {
        let rig = try CardRig([:])
        try rig.set("FAILURES", failure)
        for _ in 0..<2 {
            // Larger than before, so that buffers have to grow.
            let (cards, processor) = try rig.both(
                .q4_K, Self.values + Self.values + Self.values + Self.values, columns: 512)
            #expect(cards == processor)
        }
    }

    /// Where a card has no memory for a moment, it goes on afterwards; a lost one is left alone.
    @Test(arguments: [("cuMemAlloc_v2:1:2", true), ("cuLaunchKernel:1:719", false)])
    func goesOn(_ failure: String, _ isUsedAgain: Bool) throws {
        let rig = try CardRig([:])
        try rig.set("FAILURES", failure)
        let values = Self.values + Self.values + Self.values
        _ = try rig.both(.q4_K, values, columns: 512)
        // From now on results of the card are wrong, so that it shows whether they are the card's.
        try rig.set("FAILURES", "")
        try rig.set("FLIPS", "1")
        let (cards, processor) = try rig.both(.q4_K, values, columns: 512)
        #expect((cards == processor) != isUsedAgain)
    }

    /// What lanes keep for their next call makes room for one that lacks memory.
    @Test func idleLanesMakeRoom() async throws {
        let rig = try CardRig([:])
        let values = (0..<1 << 18).map { Float(sin(Double($0))) }
        // At once, so that each has a lane: on threads of their own, for a pool's may all be taken.
        let calls = DispatchGroup()
        for _ in 0..<8 {
            calls.enter()
            Thread.detachNewThread {
                for _ in 0..<4 { _ = try? rig.both(.q6_K, values, columns: 1024) }
                calls.leave()
            }
        }
        await withCheckedContinuation { done in calls.notify(queue: .global()) { done.resume() } }
        try rig.set("FAILURES", "cuMemAlloc_v2:1:2")
        try rig.set("FLIPS", "1")
        let (cards, processor) = try rig.both(.q6_K, values + values, columns: 1024)
        let isByCards = cards != processor
        #expect(isByCards)
    }

    /// The first lost, the other does the rest.
    @Test func otherCardsGoOn() throws {
        let rig = try CardRig(["CARDS": "2"])
        try rig.set("FAILURES", "cuLaunchKernel:1:719")
        let (first, processor) = try rig.both(.q4_K, Self.values, columns: 512)
        #expect(first == processor)
        try rig.set("FAILURES", "")
        try rig.set("FLIPS", "1:1")
        let (second, _) = try rig.both(.q4_K, Self.values, columns: 512)
        #expect(second != processor)
    }

    /// A card that miscalculates is found before it gets work: at the start, or when it is first to encode a type.
    @Test func refusesWrongCards() throws {
        let error = #expect(throws: QuernError.self) { _ = try CardRig(["FLIPS": "1"]) }
        #expect(error?.code == .corrupted && error?.location.hasPrefix("card 0 (Simulated GPU 0") == true)

        let rig = try CardRig(["CARDS": "2", "FLIPS": "0:1"])
        let (cards, processor) = try rig.both(.q4_K, Self.values, columns: 512)
        #expect(cards == processor)

        let later = try CardRig([:])
        try later.set("FLIPS", "1")
        let (found, wanted) = try later.both(.q5_K, Self.values, columns: 512)
        #expect(found == wanted)
    }
}
