extension CompressedCheck {
    private static let pieceBytes = 256 << 10
    private static let scales: [WeightComponent] = [
        .scale, .globalScale, .inputGlobalScale, .transposedScale, .rowMagnitude, .magnitudeOfMagnitudes,
    ]

    /// Scales that are zero, infinite or no numbers: the first of each tensor.
    func badScales(_ progress: (UInt64) throws -> Void) throws -> [CompressedFault] {
        var faults: [CompressedFault] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceBytes, alignment: 16)
        defer { buffer.deallocate() }
        for layer in layers where isQuantized(layer) {
            for component in Self.scales {
                guard let entry = layer.entry(component), let kind = ScaleKind(entry.tensor.type, component) else {
                    continue
                }
                var done: UInt64 = 0
                while done < entry.tensor.length {
                    let piece = UnsafeMutableRawBufferPointer(
                        rebasing: buffer[..<Int(min(UInt64(buffer.count), entry.tensor.length - done))])
                    try checkpoint.shards[entry.shard].file.read(at: entry.tensor.offset + done, into: piece)
                    if let bad = kind.firstBad(UnsafeRawBufferPointer(piece)) {
                        let place = done / UInt64(kind.bytes) + UInt64(bad)
                        faults.append(
                            Self.fault(.scale, entry.tensor, "finite and not 0", "0 or not finite at element \(place)"))
                        break
                    }
                    done += UInt64(piece.count)
                    try progress(UInt64(piece.count))
                }
            }
        }
        return faults
    }

    /// NVFP4 layers that are put together and have different global scales.
    func unequalGlobalScales() throws -> [CompressedFault] {
        var entries: [String: Entry] = [:]
        var names: [String] = []
        for layer in layers {
            guard let entry = layer.entry(.globalScale), entry.tensor.length == 4 else { continue }
            entries[layer.name] = entry
            names.append(layer.name)
        }
        return try FusedLayers.sharingScale(names).flatMap { set in
            let values = try set.map { name in
                try entries[name].map { try checkpoint.shards[$0.shard].file.bytes(at: $0.tensor.offset, count: 4) }
            }
            return zip(set, values).filter { $0.1 != values[0] }.map {
                CompressedFault(.globalScale, at: $0.0, expected: "that of \(set[0])", found: "another")
            }
        }
    }
}

/// What scales may be, as bits.
private enum ScaleKind {
    case single, half, brain, e4m3, e8m0
    /// Of weights that are all zero, or all alike, it is zero.
    case magnitude

    init?(_ type: SafetensorsType, _ component: WeightComponent) {
        switch type {
        case .f32: self = [.rowMagnitude, .magnitudeOfMagnitudes].contains(component) ? .magnitude : .single
        case .f16: self = .half
        case .bf16: self = .brain
        case .f8_E4M3: self = .e4m3
        // Loaders know powers of two as bytes.
        case .u8, .f8_E8M0: self = .e8m0
        default: return nil
        }
    }

    var bytes: Int {
        switch self {
        case .single, .magnitude: 4
        case .half, .brain: 2
        case .e4m3, .e8m0: 1
        }
    }

    /// Index of the first scale that is zero, infinite or no number.
    func firstBad(_ data: UnsafeRawBufferPointer) -> Int? {
        switch self {
        case .single: Self.firstIndex(data, UInt32.self) { $0 & 0x7FFF_FFFF &- 1 < 0x7F7F_FFFF }
        case .magnitude: Self.firstIndex(data, UInt32.self) { $0 < 0x7F80_0000 }
        case .half: Self.firstIndex(data, UInt16.self) { $0 & 0x7FFF &- 1 < 0x7BFF }
        case .brain: Self.firstIndex(data, UInt16.self) { $0 & 0x7FFF &- 1 < 0x7F7F }
        case .e4m3: Self.firstIndex(data, UInt8.self) { $0 & 0x7F &- 1 < 0x7E }
        case .e8m0: Self.firstIndex(data, UInt8.self) { $0 != 0xFF }
        }
    }

    private static func firstIndex<Bits: FixedWidthInteger>(
        _ data: UnsafeRawBufferPointer, _ type: Bits.Type, isGood: (Bits) -> Bool
    ) -> Int? {
        data.bindMemory(to: type).firstIndex { !isGood(Bits(littleEndian: $0)) }
    }
}
