import ArgumentParser
import Foundation
import Logging
import QuernCUDA
import QuernFormats
import QuernKernels

/// How fast a card encodes and computes models, beside what its bus, its memory and its multipliers can do.
@main
struct CardBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quern-card-benchmark",
        abstract: "Measure a card: its floors, each type beside them and beside one core, and models.")

    @Option(help: "Number of the card.")
    var card = 0

    @Option(help: "Element types, by name, separated by commas. All by default.")
    var types: String?

    @Option(help: "Values in a row: a multiple of 256.")
    var columns = 4096

    @Option(help: "Rows of a call: 2048 of 4096 values are what a worker hands over.")
    var rows = 2048

    @Option(help: "Threads that hand over rows.")
    var threads = 8

    @Option(help: "Seconds for each figure, at the least.")
    var seconds = 1.0

    @Flag(help: "Schemes of safetensors, too.")
    var schemes = false

    @Flag(help: "Refined encoders of those types that have one, too; they take a factor of columns × columns values.")
    var refined = false

    @Option(help: "A checkpoint folder or .gguf to calibrate.")
    var model: String?

    @Option(help: "Chunks of 512 tokens to calibrate it with.")
    var chunks = 32

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard columns > 0, columns % 256 == 0, rows > 0, threads > 0, chunks > 0 else {
            throw ValidationError("--columns must be a multiple of 256; --rows, --threads and --chunks at least 1")
        }
        _ = try selectedTypes()
    }

    func run() throws {
        let driver = try CUDADriver.shared()
        let devices = try driver.devices()
        guard devices.indices.contains(card) else { throw ValidationError("there are \(devices.count) cards") }
        let setup = try Setup(driver, devices[card], seconds: seconds)
        var report = Report(card: devices[card], limits: try setup.limits())
        if !json { print(Report.header) }
        let workload = try TypeWorkload(setup, rows: rows, columns: columns, threads: threads)
        for type in try selectedTypes() {
            report.types.append(try workload.measure(type, limits: report.limits))
            if !json { print(report.line(report.types[report.types.count - 1])) }
        }
        if refined {
            let workload = try RefinedWorkload(setup: setup, rows: workload, columns: columns, threads: threads)
            for type in try selectedTypes() where type.isRefined {
                report.refined.append(try workload.measure(type))
                if !json { print(report.line(report.refined[report.refined.count - 1])) }
            }
        }
        if schemes {
            let workload = SchemeWorkload(setup: setup, rows: workload, columns: columns, threads: threads)
            report.schemes = try workload.measure(report.limits) { if !json { print(report.line($0)) } }
        }
        if let model { report.model = try ModelWorkload(path: model, chunks: chunks, threads: threads).measure(setup) }
        print(json ? try report.json() : report.summary())
        let wrong =
            report.types.filter { !$0.isEqual }.map(\.name)
            + (report.refined + report.schemes).filter { !$0.isEqual }.map(\.name)
        guard wrong.isEmpty else {
            throw ValidationError("other bytes than the processor's: \(wrong.joined(separator: ", "))")
        }
    }

    private func selectedTypes() throws -> [ElementType] {
        let possible = EncodableTypes.all.filter { DeviceProgram.types.contains($0) }
        guard let types else { return possible }
        return try types.split(separator: ",").map { name in
            guard let type = ElementType(name: String(name)), possible.contains(type) else {
                throw ValidationError("cards do not encode '\(name)'")
            }
            return type
        }
    }
}
