import QuernJobs
import Testing

@Suite struct CapabilityTests {
    @Test(arguments: Stage.allCases, ForwardDevice.allCases)
    func namesAreRead(_ stage: Stage, _ forward: ForwardDevice) {
        let capability = Capability(stage, forward: forward)
        #expect(Capability(name: capability.name) == capability)
        #expect(capability.name.contains("@") == (stage.computesOnModels && forward != .cpu))
        // What job databases held before anything was said about models.
        #expect(Capability(name: stage.rawValue) == Capability(stage))
    }

    @Test(arguments: ["", "@", "calibrate@", "calibrate@cpu", "encode@cuda", "calibrate@cuda@cuda", "@cuda", "other"])
    func othersAreRefused(_ name: String) { #expect(Capability(name: name) == nil) }

    @Test func sessionsHaveEveryPair() {
        func names(_ forward: [ForwardDevice]?) -> [String] {
            SessionRequest(node: "n", slots: 1, memory: 1, stages: [.encode, .measure], forward: forward)
                .capabilities.map(\.name)
        }
        #expect(names(nil) == ["encode", "measure"])
        #expect(names([]) == ["encode"])
        #expect(names([.cpu, .cuda]) == ["encode", "measure", "measure@cuda"])
    }
}
