import QuernFormats
import QuernJobs

/// A size for which types are chosen by what they cost, in place of a preset's mixture.
package struct SizeGoal: Sendable, Equatable {
    package enum Limit: Sendable, Equatable {
        /// Of all files of the artifact.
        case bytes(UInt64)
        /// Over all weights of the model.
        case bitsPerWeight(Double)
        /// As large as the preset makes it.
        case preset(Preset)
    }
    package let limit: Limit
    /// As the artifact is called.
    package let name: String

    var isOfPreset: Bool { if case .preset = limit { true } else { false } }

    /// What tells such targets from presets.
    static let forms = "size:4.5GB, bpw:4.25 or Q4_K_M:dynamic"

    /// - Parameter text: `size:4.5GB`, `bpw:4.25` or `Q4_K_M:dynamic`.
    /// - Returns: nil for what has no colon.
    /// - Throws: `QuernError` `.usage` for other things with a colon.
    package init?(_ text: String) throws {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let (before, after) = (text[..<colon], String(text[text.index(after: colon)...]))
        switch (before.lowercased(), after.lowercased()) {
        case ("size", _):
            limit = .bytes(try ByteCount.parse(after))
            name = after.uppercased()
        case ("bpw", _):
            guard let bits = Double(after), bits.isFinite, bits > 0 else {
                throw QuernError(.usage, "'\(after)' is no number of bits", at: text, remedy: "Write bpw:4.25")
            }
            limit = .bitsPerWeight(bits)
            name = "\(after)bpw"
        case (_, "dynamic"):
            let preset = try Preset(named: String(before))
            limit = .preset(preset)
            name = "\(preset.name)-dynamic"
        default:
            throw QuernError(.usage, "unknown target '\(text)'", remedy: "Sizes are written \(Self.forms)")
        }
    }
}

extension Recipe {
    /// Whether types or schemes are chosen by what they cost, and no file says what that is.
    func asksForCosts(_ checkpoint: StoredCheckpoint?) throws -> Bool {
        guard sensitivity == nil else { return false }
        return try targets.contains { target in
            switch target {
            case .gguf(let target): try target.choosesTypes
            case .compressedTensors(let target):
                try checkpoint.map { try !SchemeAllocation.free(target, of: $0).isEmpty } ?? false
            }
        }
    }
}

extension Recipe.GGUFTarget {
    /// The size for which types are chosen; nil for a preset.
    var goal: SizeGoal? { get throws { try SizeGoal(preset) } }

    /// Whether its types are chosen by what they cost: where rules stand beside a size, they name what was chosen before.
    var choosesTypes: Bool { get throws { try goal != nil && tensors.isEmpty } }

    /// What decides where nothing else does: the preset, or what is nearest to it.
    var base: Preset {
        get throws {
            guard let goal = try goal else { return try Preset(named: preset) }
            // Of what cannot be chosen, little is lost.
            return if case .preset(let preset) = goal.limit { preset } else { .q8_0 }
        }
    }

    /// As the artifact is called.
    var artifactName: String { get throws { try goal?.name ?? Preset(named: preset).name } }
}
