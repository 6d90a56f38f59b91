import Foundation
import QuernKernels

/// Millions of weights per second and core for one type or format and instruction set.
struct Measurement {
    let name: String
    let set: InstructionSet
    let plain: Double
    /// Nil where importance makes no difference.
    let weighted: Double?
    /// Nil where it was not asked for, and where no encoder is refined.
    var refined: Double?
    let decode: Double
}

/// The same for what follows an encoding.
struct Comparison {
    let set: InstructionSet
    let error: Double
    let firstNonFinite: Double
}

struct Report {
    let copyRate: Double
    var measurements: [Measurement]
    var comparisons: [Comparison] = []

    func table() -> String {
        func row(_ name: String, _ set: String, _ columns: [String]) -> String {
            name.padding(toLength: 18, withPad: " ", startingAt: 0)
                + set.padding(toLength: 10, withPad: " ", startingAt: 0)
                + columns.map { String(repeating: " ", count: max(0, 13 - $0.count)) + $0 }.joined()
        }
        func number(_ value: Double?) -> String { value.map { String(format: "%.1f", $0) } ?? "" }
        func share(_ value: Double) -> String { String(format: "%.3f", value / copyRate) }
        var lines = [
            "Millions of weights per second and core; a copy of F32 values moves \(number(copyRate)).", "",
            row("type", "set", ["encode", "of copy", "importance", "refined", "decode", "of copy"]),
        ]
        for m in measurements {
            lines.append(
                row(
                    m.name, m.set.description,
                    [
                        number(m.plain), share(m.plain), number(m.weighted), number(m.refined), number(m.decode),
                        share(m.decode),
                    ]))
        }
        for c in comparisons {
            lines.append(row("error", c.set.description, [number(c.error), share(c.error)]))
            lines.append(
                row("first non-finite", c.set.description, [number(c.firstNonFinite), share(c.firstNonFinite)]))
        }
        return lines.joined(separator: "\n")
    }

    func json() throws -> String {
        let encoded: [[String: Any]] = measurements.map { m in
            var entry: [String: Any] = [
                "type": m.name, "instruction_set": m.set.description, "encode": m.plain,
                "decode": m.decode,
            ]
            entry["encode_with_importance"] = m.weighted
            entry["encode_refined"] = m.refined
            return entry
        }
        let compared: [[String: Any]] = comparisons.map {
            ["instruction_set": $0.set.description, "error": $0.error, "first_non_finite": $0.firstNonFinite]
        }
        let object: [String: Any] = [
            "unit": "millions of weights per second and core", "copy": copyRate, "kernels": encoded,
            "comparisons": compared,
        ]
        let data = try JSONSerialization.data(withJSONObject: object, options: [.prettyPrinted, .sortedKeys])
        return String(decoding: data, as: UTF8.self)
    }
}
