import QuernFormats

extension Kernels {
    /// What rows of numbers become in the tensors of a storage: transposed and packed anew, or with magnitudes as bytes.
    /// - Parameters:
    ///   - numbers: components of `storage.numbers` for n rows, as `quantize` and `fit` write them; n is a multiple of
    ///     `storage.rowMultiple`, or these are the last rows.
    ///   - offset: of magnitudes of NF4; without meaning elsewhere.
    /// - Returns: the components of the storage that grow with rows, of a layout other than that of compressed-tensors.
    public static func stored(
        _ storage: WeightStorage, _ numbers: [WeightComponent: [UInt8]], rows: Int, columns: Int, offset: Float = 0
    ) -> [WeightComponent: [UInt8]] {
        switch storage.layout {
        case .compressedTensors: return numbers
        case .awq:
            let zeros = words(numbers[.zeroPoint] ?? []).map { reordered($0, awqOrder) }
            return [
                .transposedWeight: bytes(awqTurned(words(numbers[.packed] ?? []), rows: rows)),
                .transposedZeroPoint: bytes(transposed(zeros, rows: rows / storage.perWord)),
                .transposedScale: transposedScales(numbers, rows: rows),
            ]
        case .gptq:
            let groups = columns / (storage.numbers.group ?? columns)
            return [
                .transposedWeight: bytes(transposed(words(numbers[.packed] ?? []), rows: rows)),
                .transposedZeroPoint: bytes(
                    [UInt32](repeating: storage.zeroPointWord, count: groups * rows / storage.perWord)),
                .transposedScale: transposedScales(numbers, rows: rows),
            ]
        case .bitsandbytes:
            guard storage.numbers == .nf4 else {
                return [.weight: numbers[.weight] ?? [], .rowMagnitude: numbers[.scale] ?? []]
            }
            let (codes, scales) = DoubleQuantization.quantize(
                floats(numbers[.scale] ?? []), offset: offset, group: WeightStorage.nestedGroup)
            return [
                .weight: numbers[.packed] ?? [], .magnitude: codes,
                .magnitudeOfMagnitudes: bytes(scales.map(\.bitPattern)),
            ]
        }
    }

    /// The numbers of rows, as `dequantize` takes them, from what `stored` makes of them.
    /// - Parameter skipped: magnitudes that the group of the first has before it.
    public static func numbers(
        _ storage: WeightStorage, _ stored: [WeightComponent: [UInt8]], rows: Int, columns: Int, offset: Float = 0,
        skipped: Int = 0
    ) -> [WeightComponent: [UInt8]] {
        let groups = columns / (storage.numbers.group ?? columns)
        switch storage.layout {
        case .compressedTensors: return stored
        case .awq:
            let zeros = transposed(words(stored[.transposedZeroPoint] ?? []), rows: groups)
            return [
                .packed: bytes(awqTurned(words(stored[.transposedWeight] ?? []), rows: rows, back: true)),
                .zeroPoint: bytes(zeros.map { reordered($0, awqPlaces) }),
                .scale: transposedScales(stored, rows: groups),
            ]
        case .gptq:
            return [
                .packed: bytes(
                    transposed(words(stored[.transposedWeight] ?? []), rows: columns / storage.perWord)),
                .scale: transposedScales(stored, rows: groups),
            ]
        case .bitsandbytes:
            guard storage.numbers == .nf4 else {
                return [.weight: stored[.weight] ?? [], .scale: stored[.rowMagnitude] ?? []]
            }
            let magnitudes = DoubleQuantization.dequantize(
                stored[.magnitude] ?? [], scales: floats(stored[.magnitudeOfMagnitudes] ?? []), offset: offset,
                group: WeightStorage.nestedGroup, skipped: skipped)
            return [.packed: stored[.weight] ?? [], .scale: bytes(magnitudes.map(\.bitPattern))]
        }
    }

    /// Which of eight outputs each four bits of a word belong to, from the lowest on.
    private static let awqOrder = [0, 2, 4, 6, 1, 3, 5, 7]
    /// Where each of eight outputs is.
    private static let awqPlaces = [0, 4, 1, 5, 2, 6, 3, 7]

    private static func reordered(_ word: UInt32, _ order: [Int]) -> UInt32 {
        order.enumerated().reduce(0) { $0 | (word >> UInt32(4 * $1.element) & 15) << UInt32(4 * $1.offset) }
    }

    /// Words [N, K / 8] along K as words [K, N / 8] along N, or back.
    private static func awqTurned(_ words: [UInt32], rows: Int, back: Bool = false) -> [UInt32] {
        let width = words.count / max(rows, 1)
        var turned = [UInt32](repeating: 0, count: words.count)
        for block in 0..<rows / 8 {
            for column in 0..<width {
                func alongInputs(_ place: Int) -> Int { (8 * block + awqOrder[place]) * width + column }
                func alongOutputs(_ place: Int) -> Int { (8 * column + place) * (rows / 8) + block }
                var square = SIMD8<UInt32>()
                for place in 0..<8 { square[place] = words[back ? alongOutputs(place) : alongInputs(place)] }
                square = transposedNibbles(square)
                for place in 0..<8 { turned[back ? alongInputs(place) : alongOutputs(place)] = square[place] }
            }
        }
        return turned
    }

    /// Eight words of eight numbers of four bits, transposed: halves, quarters and eighths change places.
    private static func transposedNibbles(_ words: SIMD8<UInt32>) -> SIMD8<UInt32> {
        var words = words
        for (step, mask) in [(4, UInt32(0x0000_FFFF)), (2, 0x00FF_00FF), (1, 0x0F0F_0F0F)] {
            for place in 0..<8 where place & step == 0 {
                let swapped = (words[place] >> UInt32(4 * step) ^ words[place + step]) & mask
                words[place + step] ^= swapped
                words[place] ^= swapped << UInt32(4 * step)
            }
        }
        return words
    }

    private static func transposedScales(_ components: [WeightComponent: [UInt8]], rows: Int) -> [UInt8] {
        let scales = components[.scale] ?? components[.transposedScale] ?? []
        let halves = scales.withUnsafeBytes { scales in
            (0..<scales.count / 2).map { scales.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self) }
        }
        return bytes(transposed(halves, rows: rows))
    }

    /// A matrix of so many rows, transposed.
    private static func transposed<Element>(_ elements: [Element], rows: Int) -> [Element] {
        let width = elements.count / max(rows, 1)
        return [Element](unsafeUninitializedCapacity: elements.count) { memory, count in
            // Squares that fit the cache.
            for top in stride(from: 0, to: rows, by: 32) {
                for left in stride(from: 0, to: width, by: 32) {
                    for row in top..<min(top + 32, rows) {
                        for column in left..<min(left + 32, width) {
                            memory.initializeElement(at: column * rows + row, to: elements[row * width + column])
                        }
                    }
                }
            }
            count = rows * width
        }
    }

    private static func words(_ bytes: [UInt8]) -> [UInt32] {
        bytes.withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map {
                UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))
            }
        }
    }

    private static func floats(_ bytes: [UInt8]) -> [Float] { words(bytes).map(Float.init(bitPattern:)) }

    private static func bytes<Word: FixedWidthInteger>(_ words: [Word]) -> [UInt8] {
        words.map(\.littleEndian).withUnsafeBytes(Array.init)
    }
}
