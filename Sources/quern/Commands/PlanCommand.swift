import ArgumentParser
import Foundation
import QuernFormats
import QuernPlanning

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what would be made: types, sizes, memory. Reads headers only.",
        discussion: "Example: quern plan ./tiny-llama --to Q4_K_M --json")

    @OptionGroup var recipeOptions: RecipeOptions

    @Flag(help: "Print the plan as one JSON object.")
    var json = false

    func run() async throws {
        let recipe = try recipeOptions.resolve()
        let plan = try await OwnThread.run { try Planner.plan(try recipe.pinned()) }
        if json {
            try Console.json(PlanReport(plan))
        } else {
            show(plan)
        }
        for warning in plan.warnings { Console.error("quern: warning: \(warning)") }
        for refusal in plan.refusals {
            Console.error(
                "quern: refused: \(refusal.target)\(refusal.tensor.map { " \($0)" } ?? ""): \(refusal.reason)")
        }
        if !plan.refusals.isEmpty { throw ExitStatus.failed }
    }

    private func show(_ plan: Plan) {
        for target in plan.targets {
            if let bounds = target.bounds {
                Console.line(
                    "\(target.target): types are chosen once tensors are measured, "
                        + "\(Console.size(bounds.lowerBound)) to \(Console.size(bounds.upperBound))")
                continue
            }
            let elements = target.tensors.reduce(0) { $0 + $1.weights }
            let bits = elements > 0 ? Double(target.bytes) * 8 / Double(elements) : 0
            Console.line(
                "\(target.target): \(Console.size(target.bytes)), \(Console.fixed(bits, digits: 2)) bits per weight")
            if let divergence = target.divergence {
                Console.line("  expected mean KL divergence: \(Console.fixed(divergence, digits: 6))")
            }
            for file in target.files { Console.line("  \(file.name)  \(Console.size(file.bytes))") }
            let rows = target.tensors.map {
                [
                    "  " + $0.name, $0.shape.map(String.init).joined(separator: "×"), "\($0.sourceType)",
                    "→ \($0.type)", $0.scheme ?? "",
                    Console.size($0.bytes),
                ]
            }
            Console.line(Console.table(rows, rightAligned: [5]))
        }
        Console.line(
            "\(plan.items.count) work items, \(Console.size(plan.peakMemory)) of memory for each worker slot at most")
    }
}
