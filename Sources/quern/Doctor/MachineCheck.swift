import Foundation
import QuernFormats
import QuernKernels
import QuernModel

/// The program, and the machine it runs on.
struct MachineCheck: DoctorCheck {
    /// Bytes that workers take for work in progress.
    let workMemory: Int64

    func findings() -> [Finding] {
        [Finding("version", "quern \(quernVersion)", ["version": .text(quernVersion)]), processor, memory]
    }

    private var processor: Finding {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let sets = InstructionSet.allCases.map(\.description)
        return Finding(
            "processor",
            "\(cores) \(cores == 1 ? "core" : "cores"); encodes with \(InstructionSet.best) of "
                + sets.joined(separator: ", "),
            ["cores": .number(cores), "instruction_sets": .list(sets), "used": .text(InstructionSet.best.description)])
    }

    private var memory: Finding {
        let total = Int(clamping: ProcessInfo.processInfo.physicalMemory)
        var details: [String: Finding.Detail] = [
            "total_bytes": .number(total), "work_bytes": .number(Int(clamping: workMemory)),
        ]
        var text = Console.size(total)
        if let available = Self.available() {
            details["available_bytes"] = .number(available)
            text += ", \(Console.size(available)) available"
        }
        text += "; work in progress takes \(Console.size(workMemory)) at the most"
        guard workMemory <= total else {
            return Finding(
                "memory", text, state: .failed, remedy: "Set memory to less than the machine has", details)
        }
        return Finding("memory", text, details)
    }

    /// Bytes that programs can have before others are pushed out; nil where the system does not tell.
    private static func available() -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("MemAvailable:") }),
            let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        return kibibytes * 1024
    }
}

/// The library that calibration, measuring and evaluation multiply with.
struct MatrixLibraryCheck: DoctorCheck {
    func findings() -> [Finding] {
        do throws(QuernError) {
            let library = try MatrixEngine.installedLibrary()
            let bf16 = library.hasTiles ? "BF16 in tiles" : library.hasBF16 ? "BF16" : "no BF16"
            return [
                Finding(
                    "oneDNN", "\(library.version), \(bf16)",
                    [
                        "version": .text(library.version), "bf16": .flag(library.hasBF16),
                        "tiles": .flag(library.hasTiles),
                    ])
            ]
        } catch {
            // Quantizing without a calibration does without it.
            return [Finding("oneDNN", error, isWanted: false)]
        }
    }
}
