import ArgumentParser
import Foundation
import TestSupport

/// One run of a command: rounds of faults until there were enough.
struct Campaign {
    let name: String
    let options: FaultOptions
    let seed: UInt64
    let journal = Journal()
    let kinds: [SampleJob]
    private let deadline: ContinuousClock.Instant?
    private let goal: Int

    /// - Parameter count: of faults, where neither a count nor minutes are given.
    init(_ name: String, _ options: FaultOptions, count: Int) throws {
        self.name = name
        self.options = options
        seed = options.seed ?? UInt64.random(in: 0...UInt64.max)
        kinds = try options.kinds()
        goal = options.count ?? (options.minutes == nil ? count : Int.max)
        deadline = options.count == nil ? options.minutes.map { ContinuousClock.now + .seconds($0 * 60) } : nil
    }

    /// Whether more faults are wanted.
    var goesOn: Bool {
        journal.sum(Campaign.faults) < goal && deadline.map { ContinuousClock.now < $0 } ?? true
    }

    static let faults = "faults"

    /// Notes a fault.
    func fault(_ kind: String, _ text: String) {
        journal.count(Campaign.faults)
        journal.count("  " + kind)
        journal.line(text)
    }

    /// Runs rounds until there were enough faults or something is wrong.
    /// - Throws: exit status 1 where something is wrong.
    func run(_ round: (_ number: Int, _ generator: SeededGenerator) async throws -> Void) async throws {
        journal.line(
            "quern-faults \(name), seed \(seed), store \(options.store.rawValue), QUERN \(QuernProcess.binary.path)")
        var number = 0
        while goesOn, journal.violations == 0 {
            number += 1
            do {
                try await round(number, SeededGenerator(seed: seed &+ UInt64(number) &* 0x9E37))
            } catch {
                journal.violation("round \(number): \(error)")
            }
        }
        var command = CommandLine.arguments
        if options.seed == nil { command += ["--seed", "\(seed)"] }
        guard journal.summary(again: command.joined(separator: " ")) else { throw ExitCode(1) }
    }
}
