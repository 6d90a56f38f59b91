import ArgumentParser
import Foundation
import QuernFormats
import QuernKernels

/// How fast one core encodes and decodes.
@main
struct KernelBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quern-kernel-benchmark",
        abstract: "Measure the kernels on one core, in millions of weights per second.")

    @Option(help: "Element types, by name, separated by commas. All by default.")
    var types: String?

    @Option(help: "Values in a row: a multiple of 256.")
    var columns = 4096

    @Option(help: "Rows.")
    var rows = 512

    @Flag(help: "Only the widest instruction set.")
    var best = false

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard columns > 0, columns % 256 == 0, rows > 0 else {
            throw ValidationError("--columns must be a multiple of 256, --rows at least 1")
        }
        _ = try selectedTypes()
    }

    func run() throws {
        let workload = Workload(rows: rows, columns: columns)
        let sets = best ? [InstructionSet.best] : InstructionSet.allCases
        var report = Report(copyRate: workload.copyRate(), measurements: [])
        for type in try selectedTypes() {
            for set in sets { report.measurements.append(workload.measure(type, with: set)) }
        }
        for set in sets { report.comparisons.append(workload.measureComparison(with: set)) }
        print(json ? try report.json() : report.table())
    }

    private func selectedTypes() throws -> [ElementType] {
        guard let types else { return EncodableTypes.all }
        return try types.split(separator: ",").map { name in
            guard let type = ElementType(name: String(name)), EncodableTypes.contains(type) else {
                throw ValidationError("no kernel for the element type '\(name)'")
            }
            return type
        }
    }
}
