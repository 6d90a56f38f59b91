import Logging
import QuernCUDA
import QuernFormats

/// NVIDIA's driver, its cards, the compiler for them, their library for products of matrices, and what a
/// worker would encode on.
struct CardCheck: DoctorCheck {
    let request: DeviceSelection.Request

    private var isWanted: Bool { request == .cuda }

    func findings() -> [Finding] { driver() + [device] }

    private func driver() -> [Finding] {
        do throws(QuernError) {
            let driver = try CUDADriver.shared()
            let found = Finding(
                "NVIDIA driver", "CUDA \(driver.version), \(driver.place)",
                ["cuda": .text("\(driver.version)"), "library": .text(driver.place)])
            return [found] + cards(of: driver) + [compiler(for: driver.version), products(for: driver.version)]
        } catch {
            return [Finding("NVIDIA driver", error, isWanted: isWanted), compiler(for: nil), products(for: nil)]
        }
    }

    private func cards(of driver: CUDADriver) -> [Finding] {
        do throws(CUDAFailure) {
            return try driver.devices().map { card($0, of: driver) }
        } catch {
            return [Finding("cards", error.error, isWanted: isWanted)]
        }
    }

    private func card(_ card: CUDADevice, of driver: CUDADriver) -> Finding {
        let what = "card \(card.ordinal)"
        do throws(CUDAFailure) {
            let memory = try CUDAContext(driver, card).memory()
            return Finding(
                what,
                "\(card.name), compute capability \(card.capability), \(Console.size(memory.free)) free of "
                    + "\(Console.size(memory.total)), \(card.multiprocessors) multiprocessors, \(card.busID)",
                [
                    "name": .text(card.name), "uuid": .text(card.uuid), "bus_id": .text(card.busID),
                    "compute_capability": .text("\(card.capability)"), "free_bytes": .number(memory.free),
                    "total_bytes": .number(memory.total), "multiprocessors": .number(card.multiprocessors),
                    "copy_engines": .number(card.asyncEngines),
                ])
        } catch {
            return Finding(what, error.error, isWanted: isWanted)
        }
    }

    private func compiler(for driver: CUDAVersion?) -> Finding {
        do throws(QuernError) {
            let compiler = try CUDACompiler(CUDALibraries(), driver: driver)
            guard let newest = compiler.architectures.last else {
                throw QuernError(.unsupported, "it compiles for no cards", at: compiler.place)
            }
            // It opens a second library when it has something to do, which may be missing or of another version.
            let program = CUDAProgram(name: "doctor.cu", source: "extern \"C\" __global__ void nothing() {}")
            _ = try compiler.compile(program, for: newest)
            return Finding(
                "NVRTC",
                "\(compiler.version), \(compiler.place), knows cards up to compute capability \(newest)",
                [
                    "version": .text("\(compiler.version)"), "library": .text(compiler.place),
                    "architectures": .list(compiler.architectures.map(\.description)),
                ])
        } catch {
            return Finding("NVRTC", error, isWanted: isWanted)
        }
    }

    private func products(for driver: CUDAVersion?) -> Finding {
        do throws(QuernError) {
            let library = try CUDAProducts(CUDALibraries(), driver: driver)
            return Finding(
                "cuBLASLt", "\(library.version), \(library.place)",
                ["version": .text(library.version), "library": .text(library.place)])
        } catch {
            // Cards encode without it.
            let consequence = QuernError(
                error.code, "\(error.message); the forward pass stays on the processor", at: error.location,
                remedy: error.remedy)
            return Finding("cuBLASLt", consequence, isWanted: false)
        }
    }

    /// What `quern worker` would do.
    private var device: Finding {
        do {
            let chosen = try WorkerDevice(
                request, logger: Logger(label: "quern.doctor") { _ in SwiftLogNoOpLogHandler() })
            return Finding(
                "device",
                "--device \(request.rawValue) takes \(chosen.summary)",
                ["asked": .text(request.rawValue), "used": .text(chosen.usesCards ? "cuda" : "cpu")])
        } catch {
            let known =
                error as? QuernError ?? QuernError(.internalFault, "\(error)", at: "--device \(request.rawValue)")
            return Finding("device", known, isWanted: true)
        }
    }
}
