import QuernFormats

extension ReferenceWeights {
    static func nf4(_ rows: [[Float]]) -> [WeightComponent: [UInt8]] {
        let values = NF4.codes
        var components: [WeightComponent: [UInt8]] = [.packed: [], .scale: []]
        for row in rows {
            for first in stride(from: 0, to: row.count, by: 64) {
                let group = row[first..<first + 64]
                let magnitude = largest(group)
                let codes = group.map { value in
                    let scaled = min(max(value * (1 / max(magnitude, 1e-38)), -1), 1)
                    return UInt8(zip(values, values.dropFirst()).count { scaled > ($0 + $1) / 2 })
                }
                components[.packed]? += stride(from: 0, to: 64, by: 2).map { codes[$0] << 4 | codes[$0 + 1] }
                components[.scale]? += magnitude.bitPattern.littleEndianBytes
            }
        }
        return components
    }

    static func absmax8(_ rows: [[Float]]) -> [WeightComponent: [UInt8]] {
        var components: [WeightComponent: [UInt8]] = [.weight: [], .scale: []]
        for row in rows {
            let magnitude = largest(row)
            let factor = 1 / max(magnitude, 1e-30) * 127
            components[.weight]? += row.map { UInt8(bitPattern: Int8(($0 * factor).rounded(.toNearestOrEven))) }
            components[.scale]? += magnitude.bitPattern.littleEndianBytes
        }
        return components
    }
}
