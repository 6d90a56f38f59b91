import QuernCUDA
import QuernFormats
import QuernKernels

/// What travels to the card and back.
extension CardWeights {
    func upload(
        _ rows: UnsafeBufferPointer<Float>, original: UnsafeBufferPointer<Float>, importance: [Float]?
    ) throws {
        var pieces: [(use: Use, bytes: UnsafeRawBufferPointer)] = []
        if original.baseAddress != rows.baseAddress { pieces.append((.original, UnsafeRawBufferPointer(original))) }
        try (importance ?? []).withUnsafeBytes { bytes in
            if importance != nil { pieces.append((.importance, bytes)) }
            let memory = try context.room(&toCard, for: pieces.reduce(4 * rows.count) { $0 + $1.bytes.count })
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
    func download(
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
                    $0.append(counts: matrix.scaleCount)
                    $0.append(memory)
                }
            case .zeroPoint:
                memory = try room(.zeroPoints, target.count)
                try launch(.storeZeroPoints, threads: target.count / 4) {
                    $0.append(matrix.layout)
                    $0.append(matrix.seconds)
                    $0.append(counts: matrix.rows, matrix.columns)
                    $0.append(memory)
                }
            default:
                memory = try room(.packed, target.count)
                try launch(.pack, threads: target.count) {
                    $0.append(matrix.layout)
                    $0.append(matrix.codes)
                    $0.append(counts: matrix.rows, matrix.columns, target.count / matrix.rows)
                    $0.append(memory)
                }
            }
            pieces.append((memory, target))
        }
        let sumBytes = matrix.rows * MemoryLayout<CardLane.RowSums>.stride
        let incoming = try context.room(&fromCard, for: pieces.reduce(sumBytes) { $0 + $1.target.count }).bytes
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
}
