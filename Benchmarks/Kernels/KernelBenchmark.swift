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

    @Option(help: "Element types, by name, separated by commas. All by default, none with --schemes.")
    var types: String?

    @Option(
        help: "compressed-tensors schemes, by name, separated by commas. All by default, none with --types.")
    var schemes: String?

    @Option(help: "Values in a row: a multiple of 256.")
    var columns = 4096

    @Option(help: "Rows.")
    var rows = 512

    @Flag(help: "Only the widest instruction set.")
    var best = false

    @Flag(help: "Also measure the refined encoder, which takes a factor of columns × columns values.")
    var refined = false

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard columns > 0, columns % 256 == 0, rows > 0 else {
            throw ValidationError("--columns must be a multiple of 256, --rows at least 1")
        }
        _ = try (selectedTypes(), selectedSchemes())
    }

    func run() throws {
        let workload = Workload(rows: rows, columns: columns)
        let sets = best ? [InstructionSet.best] : InstructionSet.allCases
        var report = Report(copyRate: workload.copyRate(), measurements: [])
        for type in try selectedTypes() {
            for set in sets {
                var measurement = workload.measure(type, with: set)
                if refined { measurement.refined = try workload.measureRefined(type, with: set) }
                report.measurements.append(measurement)
            }
        }
        for (name, format) in try selectedSchemes() {
            for set in sets { report.measurements.append(workload.measure(name, format, with: set)) }
        }
        for set in sets { report.comparisons.append(workload.measureComparison(with: set)) }
        print(json ? try report.json() : report.table())
    }

    private func selectedTypes() throws -> [ElementType] {
        guard let types else { return schemes == nil ? EncodableTypes.all : [] }
        return try types.split(separator: ",").map { name in
            guard let type = ElementType(name: String(name)), EncodableTypes.contains(type) else {
                throw ValidationError("no kernel for the element type '\(name)'")
            }
            return type
        }
    }

    private func selectedSchemes() throws -> [(name: String, format: WeightFormat)] {
        guard let schemes else { return types == nil ? WeightBenchmark.formats : [] }
        return try schemes.split(separator: ",").map { name in
            guard let scheme = WeightBenchmark.formats.first(where: { $0.name == name }) else {
                let known = WeightBenchmark.formats.map(\.name).joined(separator: ", ")
                throw ValidationError("no scheme '\(name)': it is one of \(known)")
            }
            return scheme
        }
    }
}
