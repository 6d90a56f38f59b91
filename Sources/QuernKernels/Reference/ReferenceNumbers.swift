import QuernFormats

/// The numbers of a compressed-tensors format: codes, what they stand for, and the search for their scales.
struct ReferenceNumbers {
    let format: WeightFormat
    let source: SafetensorsType
    let globalScale: Float

    private enum Kind {
        case integer, e4m3, e2m1
    }

    private var kind: Kind {
        switch format {
        case .packed, .integer: .integer
        case .float, .floatBlocks: .e4m3
        case .nvfp4, .mxfp4: .e2m1
        case .nf4, .absmax8: preconditionFailure("\(format) is not fitted")
        }
    }

    private var highest: Float {
        switch (kind, format) {
        case (.e4m3, _): 448
        case (.e2m1, _): 6
        case (_, .packed(4, _, _)): 7
        default: 127
        }
    }

    private var hasZeroPoints: Bool { if case .packed(_, _, false) = format { true } else { false } }

    /// The code nearest to a value that has been divided by the scale.
    func code(_ value: Float, _ zero: Float) -> Int {
        switch kind {
        case .integer: return Int(min(max(value + zero, -highest - 1), highest).rounded(.toNearestOrEven))
        case .e4m3:
            return ReferenceSmallFloat.e4m3.code(nearestTo: min(value.magnitude, 448))
                | (value.sign == .minus ? 0x80 : 0)
        case .e2m1:
            return ReferenceSmallFloat.e2m1.code(nearestTo: min(value.magnitude, 6)) | (value < 0 ? 8 : 0)
        }
    }

    func number(_ code: Int, _ zero: Float) -> Float {
        switch kind {
        case .integer: Float(code) - zero
        case .e4m3: ReferenceSmallFloat.e4m3.values[code & 0x7f] * (code < 0x80 ? 1 : -1)
        case .e2m1: ReferenceSmallFloat.e2m1.values[code & 7] * (code < 8 ? 1 : -1)
        }
    }

    private func storable(_ scale: Float) -> Float {
        guard format == .nvfp4 else { return source.scale(scale) }
        let magnitude = ReferenceSmallFloat.e4m3.code(nearestTo: min((scale * globalScale).magnitude, 448))
        return (magnitude == 0 ? 0.125 : ReferenceSmallFloat.e4m3.values[magnitude]) / globalScale
    }

    private struct Sums {
        var error: Float = 0
        var product: Float = 0
        var square: Float = 0
    }

    private func sums(_ weights: [Float], _ importance: [Float]?, _ choice: ReferenceFit.Choice) -> Sums {
        var sums = Sums()
        let inverse = 1 / choice.scale
        for (index, weight) in weights.enumerated() {
            let number = number(code(weight * inverse, choice.zero), choice.zero)
            let difference = weight - number * choice.scale
            let weighted = importance.map { number * $0[index] } ?? number
            sums.error += importance.map { difference * difference * $0[index] } ?? (difference * difference)
            sums.product += weighted * weight
            sums.square += weighted * number
        }
        return sums
    }

    func search(_ weights: [Float], _ importance: [Float]?) -> ReferenceFit.Choice {
        var best: (choice: ReferenceFit.Choice, sums: Sums)?
        func consider(_ choice: ReferenceFit.Choice) {
            let found = sums(weights, importance, choice)
            if let best, found.error >= best.sums.error { return }
            best = (choice, found)
        }
        if format == .mxfp4 {
            let components = ReferenceWeights.quantize(format, source: source, rows: weights, columns: weights.count)
            let code = Int(components[.scale]?.first ?? 127)
            let usual =
                code == 127 && ReferenceWeights.largest(weights) > 16
                ? 0x1p124 : Float(sign: .plus, exponent: max(min(code - 127, 124), -124), significand: 1)
            for factor: Float in [1, 0.5, 2] { consider(ReferenceFit.Choice(scale: usual * factor, zero: 0)) }
        } else {
            let (low, high) = (min(weights.min() ?? 0, 0), max(weights.max() ?? 0, 0))
            let usual =
                hasZeroPoints
                ? (high - low) / (2 * highest + 1) : max(high, -low) / (kind == .integer ? highest + 0.5 : highest)
            let signs: [Float] = kind == .integer && !hasZeroPoints ? [1, -1] : [1]
            for sign in signs {
                for step in (14...26).reversed() {
                    let part = Float(step) / 25
                    var choice = ReferenceFit.Choice(scale: storable(usual * (part * sign)), zero: 0)
                    if hasZeroPoints {
                        let zero = -highest - 1 - low * part / choice.scale
                        choice.zero = min(max(zero, -highest - 1), highest).rounded(.toNearestOrEven)
                    }
                    consider(choice)
                }
            }
            for _ in 0..<2 {
                guard let (choice, sums) = best else { break }
                let scale = sums.square > 0 ? sums.product / sums.square : choice.scale
                consider(ReferenceFit.Choice(scale: storable(scale), zero: choice.zero))
            }
        }
        return best?.choice ?? ReferenceFit.Choice(scale: 1, zero: 0)
    }

    /// Rows of codes and their scales as they are stored.
    func components(_ codes: [[Int]], _ choices: [[ReferenceFit.Choice]]) -> [WeightComponent: [UInt8]] {
        switch format {
        case .packed(let bits, _, let isSymmetric):
            let integers = ReferenceIntegers(bits: bits, isSymmetric: isSymmetric, source: source)
            let width = (codes.first?.count ?? 0) / max(choices.first?.count ?? 1, 1)
            return ReferenceWeights.packed(
                zip(codes, choices).map { codes, choices in
                    choices.enumerated().map { index, choice in
                        ReferenceIntegers.Group(
                            scale: choice.scale, zeroPoint: Int(choice.zero),
                            integers: Array(codes[index * width..<(index + 1) * width]))
                    }
                }, integers)
        case .integer, .float, .floatBlocks:
            let scales = format == .floatBlocks ? Array(choices.prefix(1)) : choices
            return [
                .weight: codes.flatMap { $0.map { UInt8(truncatingIfNeeded: $0) } },
                .scale: scales.flatMap { $0.flatMap { source.bytes($0.scale) } },
            ]
        case .nvfp4, .mxfp4:
            let flat = codes.flatMap { $0 }
            return [
                .packed: stride(from: 0, to: flat.count, by: 2).map { UInt8(flat[$0] | flat[$0 + 1] << 4) },
                .scale: choices.flatMap { $0.map { scaleByte($0.scale) } },
            ]
        case .nf4, .absmax8: preconditionFailure("\(format) is not fitted")
        }
    }

    private func scaleByte(_ scale: Float) -> UInt8 {
        guard format == .nvfp4 else { return UInt8(Int(scale.exponent) + 127) }
        return UInt8(ReferenceSmallFloat.e4m3.code(nearestTo: scale * globalScale))
    }
}
