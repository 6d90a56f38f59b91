import QuernCUDA
import QuernFormats
import QuernKernels

/// Rounds weights on a card, in the stream of a lane. Used by one thread at a time.
final class CardWeights {
    private let context: CUDAContext
    private let stream: CUDAStream
    private let done: CUDAEvent
    private let program: Card.Loaded
    private let rowProgram: Card.Loaded
    private var buffers: [Use: DeviceMemory] = [:]
    private var toCard: PinnedMemory?
    private var fromCard: PinnedMemory?
    /// What was fed back last.
    private var feedback: CardFeedback?

    private enum Use: CaseIterable {
        case rows, numbers, original, importance, lows, highs, tiles, differences, panel
        case scales, seconds, codes, packed, storedScales, zeroPoints, decoded, sums
    }

    /// Threads that take the values of a group in turn.
    private static let mostPlaces = 16
    /// Values of a group that a thread has at least.
    private static let valuesPerPlace = 8
    private static let threads = 128

    /// - Parameters:
    ///   - program: `DeviceProgram.weights`.
    ///   - rowProgram: `DeviceProgram.rows`.
    init(_ context: CUDAContext, _ stream: CUDAStream, program: Card.Loaded, rowProgram: Card.Loaded) throws {
        (self.context, self.stream, self.program, self.rowProgram) = (context, stream, program, rowProgram)
        done = try CUDAEvent(context)
    }

    /// What a call works on.
    private struct Matrix {
        let layout: DeviceWeightLayout
        let rows: Int
        let columns: Int
        let groups: Int
        /// Of all rows.
        let scaleCount: Int
        let values: DeviceMemory
        let scales: DeviceMemory
        let seconds: DeviceMemory
        let codes: DeviceMemory
    }

    /// See `WeightEngine.round`.
    func round(
        _ rows: UnsafeBufferPointer<Float>, by rounding: WeightRounding, original: UnsafeBufferPointer<Float>,
        into outputs: [WeightComponent: UnsafeMutableRawBufferPointer], error: inout EncodingError
    ) throws {
        guard !rows.isEmpty else { return }
        let (format, columns) = (rounding.format, rounding.columns)
        let count = rows.count / columns, group = format.group ?? columns
        let groups = (columns + group - 1) / group
        let blockRows = format == .floatBlocks ? format.rowMultiple : 1
        let scaleCount = (count + blockRows - 1) / blockRows * groups
        try upload(rows, original: original, importance: rounding.search?.importance)
        let matrix = Matrix(
            layout: DeviceWeightLayout(
                format, source: rounding.source, columns: columns, globalScale: rounding.globalScale),
            rows: count, columns: columns, groups: groups, scaleCount: scaleCount, values: try room(.rows, 0),
            scales: try room(.scales, scaleCount * 4), seconds: try room(.seconds, scaleCount * 4),
            codes: try room(.codes, rows.count))
        if let search = rounding.search {
            try fit(matrix, search, sharesScales: blockRows > 1, group: group)
        } else {
            try findScales(matrix, group: group)
            try launch(.codes, threads: rows.count) {
                $0.append(matrix.layout)
                $0.append(matrix.values)
                $0.append(UInt64(count))
                $0.append(UInt64(columns))
                $0.append(matrix.scales)
                $0.append(matrix.seconds)
                $0.append(matrix.codes)
            }
        }
        try measure(matrix, against: original.baseAddress == rows.baseAddress ? matrix.values : room(.original, 0))
        try download(matrix, format, into: outputs, error: &error)
    }

    // MARK: Scales and codes

    /// The usual scales, by the ranges of groups.
    private func findScales(_ matrix: Matrix, group: Int) throws {
        let places = min(Self.mostPlaces, max(1, min(group, matrix.columns) / Self.valuesPerPlace))
        let ranges = matrix.rows * matrix.groups * places
        let (lows, highs) = (try room(.lows, ranges * 4), try room(.highs, ranges * 4))
        try launch(.ranges, threads: ranges) {
            $0.append(matrix.layout)
            $0.append(matrix.values)
            for number in [matrix.rows, matrix.columns, places] { $0.append(UInt64(number)) }
            $0.append(lows)
            $0.append(highs)
        }
        try launch(.scales, threads: matrix.scaleCount) {
            $0.append(matrix.layout)
            $0.append(lows)
            $0.append(highs)
            for number in [matrix.rows, matrix.columns, places] { $0.append(UInt64(number)) }
            $0.append(matrix.scales)
            $0.append(matrix.seconds)
        }
    }

    /// Scales that are searched, where not several rows share one, and codes that make good each other's errors.
    private func fit(_ matrix: Matrix, _ search: WeightRounding.Search, sharesScales: Bool, group: Int) throws {
        let lanes = WeightKernel.lanes
        let tiled = (matrix.rows + lanes - 1) / lanes * lanes
        let tiles = try room(.tiles, tiled * matrix.columns * 4)
        try launch(.fitTiles, threads: tiled * matrix.columns) {
            $0.append(matrix.values)
            $0.append(UInt64(matrix.rows))
            $0.append(UInt64(matrix.columns))
            $0.append(tiles)
        }
        if sharesScales {
            try findScales(matrix, group: group)
        } else {
            let importance = try search.importance == nil ? nil : room(.importance, 0)
            try launch(.fitScales, threads: tiled * matrix.groups) {
                $0.append(matrix.layout)
                $0.append(tiles)
                $0.append(UInt64(matrix.rows))
                $0.append(UInt64(matrix.columns))
                $0.append(importance?.address ?? 0)
                $0.append(matrix.scales)
                $0.append(matrix.seconds)
            }
        }
        if let feedback = search.feedback {
            try feedBack(matrix, tiles, feedback)
        } else {
            try launch(.fitCodes, threads: tiled * matrix.columns) {
                $0.append(matrix.layout)
                $0.append(tiles)
                $0.append(UInt64(matrix.rows))
                $0.append(UInt64(matrix.columns))
                $0.append(matrix.scales)
                $0.append(matrix.seconds)
                $0.append(matrix.codes)
            }
        }
    }

    /// Rounds column after column, panel after panel.
    private func feedBack(_ matrix: Matrix, _ tiles: DeviceMemory, _ feedback: Feedback) throws {
        if self.feedback?.isMade(of: feedback) != true {
            // Never two at a time.
            self.feedback = nil
            self.feedback = try CardFeedback(feedback, context, stream)
        }
        guard let onCard = self.feedback else { return }
        let lanes = WeightKernel.lanes
        let tiled = (matrix.rows + lanes - 1) / lanes * lanes
        let differences = try room(.differences, tiled * matrix.columns * 4)
        let values = try room(.panel, tiled * Feedback.panelColumns * 4)
        for panel in onCard.panels {
            try launch(.fitPanel, threads: tiled * panel.width) {
                $0.append(tiles)
                for number in [matrix.rows, matrix.columns, panel.block] { $0.append(UInt64(number)) }
                $0.append(onCard.orders, at: panel.order)
                $0.append(onCard.factors, at: panel.factors)
                $0.append(UInt64(panel.first))
                $0.append(UInt64(panel.width))
                $0.append(differences)
                $0.append(values)
            }
            try launch(.fitRoundPanel, threads: matrix.rows) {
                $0.append(matrix.layout)
                $0.append(tiles)
                for number in [matrix.rows, matrix.columns, panel.block] { $0.append(UInt64(number)) }
                $0.append(onCard.orders, at: panel.order)
                $0.append(onCard.factors, at: panel.factors + 4 * panel.first * panel.width)
                $0.append(UInt64(panel.first))
                $0.append(UInt64(panel.width))
                for memory in [values, matrix.scales, matrix.seconds, differences, matrix.codes] { $0.append(memory) }
            }
        }
    }

    /// Sums up what is lost of each row.
    private func measure(_ matrix: Matrix, against original: DeviceMemory) throws {
        let decoded = try room(.decoded, matrix.rows * matrix.columns * 4)
        let sums = try room(.sums, matrix.rows * MemoryLayout<CardLane.RowSums>.stride)
        try launch(.values, threads: matrix.rows * matrix.columns) {
            $0.append(matrix.layout)
            $0.append(matrix.codes)
            $0.append(UInt64(matrix.rows))
            $0.append(UInt64(matrix.columns))
            $0.append(matrix.scales)
            $0.append(matrix.seconds)
            $0.append(decoded)
        }
        try launch(rowProgram, DeviceProgram.rowErrors, threads: matrix.rows) {
            $0.append(original)
            $0.append(decoded)
            $0.append(UInt64(matrix.rows))
            $0.append(UInt64(matrix.columns))
            $0.append(sums)
        }
    }

    // MARK: Copies

    private func upload(
        _ rows: UnsafeBufferPointer<Float>, original: UnsafeBufferPointer<Float>, importance: [Float]?
    ) throws {
        var pieces: [(use: Use, bytes: UnsafeRawBufferPointer)] = []
        if original.baseAddress != rows.baseAddress { pieces.append((.original, UnsafeRawBufferPointer(original))) }
        try (importance ?? []).withUnsafeBytes { bytes in
            if importance != nil { pieces.append((.importance, bytes)) }
            let memory = try pinned(&toCard, pieces.reduce(4 * rows.count) { $0 + $1.bytes.count })
            try CardRows(stream: stream, program: rowProgram).send(
                rows, through: UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<(4 * rows.count)]),
                numbers: { try room(.numbers, 2 * rows.count) }, to: room(.rows, 4 * rows.count))
            var start = 4 * rows.count
            for (use, bytes) in pieces {
                let place = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[start..<start + bytes.count])
                place.copyMemory(from: bytes)
                try stream.copy(UnsafeRawBufferPointer(place), to: room(use, bytes.count))
                start += bytes.count
            }
        }
    }

    /// Puts the numbers into the form in which they are stored, and takes them from the card.
    private func download(
        _ matrix: Matrix, _ format: WeightFormat, into outputs: [WeightComponent: UnsafeMutableRawBufferPointer],
        error: inout EncodingError
    ) throws {
        var pieces: [(memory: DeviceMemory, target: UnsafeMutableRawBufferPointer)] = []
        for component in format.rowComponents {
            guard let target = outputs[component] else { preconditionFailure("no memory for \(component)") }
            let memory: DeviceMemory
            switch component {
            case .scale:
                memory = try room(.storedScales, target.count)
                try launch(.storeScales, threads: matrix.scaleCount) {
                    $0.append(matrix.layout)
                    $0.append(matrix.scales)
                    $0.append(UInt64(matrix.scaleCount))
                    $0.append(memory)
                }
            case .zeroPoint:
                memory = try room(.zeroPoints, target.count)
                try launch(.storeZeroPoints, threads: target.count / 4) {
                    $0.append(matrix.layout)
                    $0.append(matrix.seconds)
                    $0.append(UInt64(matrix.rows))
                    $0.append(UInt64(matrix.columns))
                    $0.append(memory)
                }
            default:
                memory = try room(.packed, target.count)
                try launch(.pack, threads: target.count) {
                    $0.append(matrix.layout)
                    $0.append(matrix.codes)
                    for number in [matrix.rows, matrix.columns, target.count / matrix.rows] {
                        $0.append(UInt64(number))
                    }
                    $0.append(memory)
                }
            }
            pieces.append((memory, target))
        }
        let sumBytes = matrix.rows * MemoryLayout<CardLane.RowSums>.stride
        let incoming = try pinned(&fromCard, pieces.reduce(sumBytes) { $0 + $1.target.count }).bytes
        let sums = UnsafeMutableRawBufferPointer(rebasing: incoming[..<sumBytes])
        try stream.copy(room(.sums, sumBytes), to: sums)
        var start = sumBytes
        var arrived: [UnsafeRawBufferPointer] = []
        for (memory, target) in pieces {
            let place = UnsafeMutableRawBufferPointer(rebasing: incoming[start..<start + target.count])
            try stream.copy(memory, to: place)
            arrived.append(UnsafeRawBufferPointer(place))
            start += target.count
        }
        try stream.record(done)
        try done.synchronize()
        for (bytes, piece) in zip(arrived, pieces) { piece.target.copyMemory(from: bytes) }
        error.add(UnsafeRawBufferPointer(sums).bindMemory(to: CardLane.RowSums.self))
    }

    private func pinned(_ memory: inout PinnedMemory?, _ count: Int) throws -> PinnedMemory {
        if let memory, memory.count >= count { return memory }
        memory = nil
        let made = try PinnedMemory(context, count: max(count, 1))
        memory = made
        return made
    }

    /// Memory for at least `count` bytes; where it has to grow, what was there before is lost.
    private func room(_ use: Use, _ count: Int) throws -> DeviceMemory {
        if let memory = buffers[use], memory.count >= count { return memory }
        buffers[use] = nil
        let memory = try DeviceMemory(context, count: max(count, 1))
        buffers[use] = memory
        return memory
    }

    // MARK: Launches

    private func launch(_ kernel: WeightKernel, threads: Int, _ arguments: (inout LaunchArguments) -> Void) throws {
        try launch(program, kernel.rawValue, threads: threads, arguments)
    }

    private func launch(
        _ program: Card.Loaded, _ name: String, threads: Int, _ arguments: (inout LaunchArguments) -> Void
    ) throws {
        var list = LaunchArguments()
        arguments(&list)
        try stream.launch(
            program.function(name), grid: LaunchSize((threads + Self.threads - 1) / Self.threads),
            block: LaunchSize(Self.threads), arguments: list)
    }
}
