import QuernCUDA
import QuernFormats
import TestSupport
import Testing

/// Opening the driver, and what it says of its cards.
@Suite struct DriverTests {
    private func refusal(_ libraries: CUDALibraries) -> QuernError? {
        do throws(QuernError) { _ = try CUDADriver(libraries) } catch { return error }
        return nil
    }

    @Test func noLibrary() throws {
        let error = try #require(refusal(CUDALibraries(folders: [try TemporaryFolder().path])))
        #expect(error.code == .unsupported)
        #expect(error.message == "there is no NVIDIA driver (libcuda.so.1)")
        #expect(error.remedy.contains("QUERN_CUDA_LIBRARIES"))
    }

    /// The folder that the user named decides, whatever else the system has.
    @Test func brokenLibrary() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("no library", to: "libcuda.so.1")
        let error = try #require(
            refusal(CUDALibraries(environment: ["QUERN_CUDA_LIBRARIES": "/nowhere:\(folder.path)"])))
        #expect(error.code == .unsupported)
        #expect(error.message.contains("cannot be used: \(path): "), "\(error)")
    }

    @Test func libraryOfSomethingElse() throws {
        let folder = try TemporaryFolder()
        try folder.link("libcuda.so.1", to: try SimulatedCards.compilerFolder() + "/libnvrtc.so.12")
        let error = try #require(refusal(CUDALibraries(folders: [folder.path])))
        #expect(error.message.contains("libnvrtc.so.12 lacks the function cuInit"), "\(error)")
    }

    @Test func noCards() throws {
        let cards = try SimulatedCards(["CARDS": "0"])
        let error = try #require(refusal(CUDALibraries(folders: [cards.path])))
        #expect(error.code == .notFound)
        #expect(error.message.contains("CUDA_ERROR_NO_DEVICE") && error.remedy.contains("nvidia-smi"))
    }

    @Test(arguments: [("11040", "CUDA 11.4"), ("11080", "CUDA 11.8")])
    func oldDriver(version: String, shown: String) throws {
        let cards = try SimulatedCards(["DRIVER": version])
        let error = try #require(refusal(CUDALibraries(folders: [cards.path])))
        #expect(error.code == .unsupported)
        #expect(error.message == "the NVIDIA driver is too old: it can do \(shown), and Quern needs 12.0")
        #expect(error.location == "\(cards.path)/libcuda.so.1")
        #expect(error.remedy == "Install driver 525 or newer")
    }

    @Test func otherFailureToStart() throws {
        let cards = try SimulatedCards(["FAILURES": "cuInit:1:803"])
        let error = try #require(refusal(CUDALibraries(folders: [cards.path])))
        #expect(error.message.contains("cuInit failed with CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)"))
        #expect(error.remedy.contains("restart"))
    }

    @Test func cards() throws {
        let cards = try SimulatedCards(["CARDS": "2", "MEMORY": "3000000", "CAPABILITY": "8.6", "DRIVER": "13010"])
        let driver = try CUDADriver(CUDALibraries(folders: [cards.path]))
        #expect(driver.version == CUDAVersion(13, 1))
        #expect(driver.place == "\(cards.path)/libcuda.so.1")
        let devices = try driver.devices()
        #expect(devices.map(\.ordinal) == [0, 1])
        #expect(devices.map(\.busID) == ["0000:01:00.0", "0000:02:00.0"])
        let second = devices[1]
        #expect(second.name == "Simulated GPU 1" && second.memory == 3_000_000)
        #expect(second.uuid == "GPU-51515151-5151-5151-5151-515151515101")
        #expect(second.capability == ComputeCapability(8, 6) && "\(second.capability)" == "8.6")
        #expect(second.multiprocessors == 4 && second.asyncEngines == 2)
    }

    @Test func failingQuestion() throws {
        let rig = try Rig()
        try rig.cards.set("FAILURES", "cuDeviceGetName:1:999")
        let lost = try #require(failure { _ = try rig.driver.devices() })
        #expect(lost.kind == .deviceLost && lost.status == 999)
        #expect(lost.error.location == "card 0" && lost.error.message.contains("cuDeviceGetName"))
    }
}
