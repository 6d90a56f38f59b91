import QuernCUDA
import QuernFormats
import TestSupport
import Testing

/// What a worker encodes on.
@Suite struct SelectionTests {
    private static let tooOld = QuernError(.unsupported, "the driver is too old", at: "libcuda.so.1", remedy: "Newer")

    @Test func processorAsksForNoCards() throws {
        let selection = try DeviceSelection.choose(.cpu) { () throws(QuernError) in
            Issue.record("looked for cards")
            throw Self.tooOld
        }
        #expect(selection.device == .cpu && selection.reason == "it was asked for")
    }

    @Test(arguments: [DeviceSelection.Request.auto, .cuda])
    func cardsAreTaken(request: DeviceSelection.Request) throws {
        let cards = try SimulatedCards(["CARDS": "2"])
        let devices = try CUDADriver(CUDALibraries(folders: [cards.path])).devices()
        let selection = try DeviceSelection.choose(request) { () throws(QuernError) in devices }
        #expect(selection.device == .cuda(devices))
        #expect(
            selection.reason
                == "found card 0 (Simulated GPU 0, 0000:01:00.0), card 1 (Simulated GPU 1, 0000:02:00.0)")
    }

    @Test func withoutCards() throws {
        let cards = { () throws(QuernError) -> [CUDADevice] in throw Self.tooOld }
        let selection = try DeviceSelection.choose(.auto, cards: cards)
        #expect(selection.device == .cpu && selection.reason == "the driver is too old")
        let error = #expect(throws: QuernError.self) { try DeviceSelection.choose(.cuda, cards: cards) }
        #expect(error?.location == "--device cuda: libcuda.so.1" && error?.remedy == "Newer")
    }
}
