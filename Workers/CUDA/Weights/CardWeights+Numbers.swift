import QuernCUDA
import QuernFormats
import QuernKernels

/// Scales and codes.
extension CardWeights {
    /// The usual scales, by the ranges of groups.
    func findScales(_ matrix: Matrix, group: Int) throws {
        let places = min(Self.mostPlaces, max(1, min(group, matrix.columns) / Self.valuesPerPlace))
        let ranges = matrix.rows * matrix.groups * places
        let (lows, highs) = (try room(.lows, ranges * 4), try room(.highs, ranges * 4))
        try launch(.ranges, threads: ranges) {
            $0.append(matrix.layout)
            $0.append(matrix.values)
            $0.append(counts: matrix.rows, matrix.columns, places)
            $0.append(lows)
            $0.append(highs)
        }
        try launch(.scales, threads: matrix.scaleCount) {
            $0.append(matrix.layout)
            $0.append(lows)
            $0.append(highs)
            $0.append(counts: matrix.rows, matrix.columns, places)
            $0.append(matrix.scales)
            $0.append(matrix.seconds)
        }
    }

    /// Scales that are searched, where not several rows share one, and codes that make good each other's errors.
    func fit(_ matrix: Matrix, _ search: WeightRounding.Search, sharesScales: Bool, group: Int) throws {
        let lanes = WeightKernel.lanes
        let tiled = (matrix.rows + lanes - 1) / lanes * lanes
        let tiles = try room(.tiles, tiled * matrix.columns * 4)
        try launch(.fitTiles, threads: tiled * matrix.columns) {
            $0.append(matrix.values)
            $0.append(counts: matrix.rows, matrix.columns)
            $0.append(tiles)
        }
        if sharesScales {
            try findScales(matrix, group: group)
        } else {
            let importance = try search.importance == nil ? nil : room(.importance, 0)
            try launch(.fitScales, threads: tiled * matrix.groups) {
                $0.append(matrix.layout)
                $0.append(tiles)
                $0.append(counts: matrix.rows, matrix.columns)
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
                $0.append(counts: matrix.rows, matrix.columns)
                $0.append(matrix.scales)
                $0.append(matrix.seconds)
                $0.append(matrix.codes)
            }
        }
    }

    /// Rounds column after column, panel after panel.
    func feedBack(
        _ matrix: Matrix, _ tiles: DeviceMemory, _ feedback: SharedFeedback
    ) throws {
        let onCard = try feedbacks.make(of: feedback, context, stream)
        let lanes = WeightKernel.lanes
        let tiled = (matrix.rows + lanes - 1) / lanes * lanes
        let differences = try room(.differences, tiled * matrix.columns * 4)
        let values = try room(.panel, tiled * Feedback.panelColumns * 4)
        for panel in onCard.panels {
            try launch(.fitPanel, threads: tiled * ((panel.width + WeightKernel.step - 1) / WeightKernel.step)) {
                $0.append(tiles)
                $0.append(counts: matrix.rows, matrix.columns, panel.block)
                $0.append(onCard.orders, at: panel.order)
                $0.append(onCard.factors, at: panel.factors)
                $0.append(counts: panel.first, panel.width)
                $0.append(differences)
                $0.append(values)
            }
            try launch(.fitRoundPanel, threads: matrix.rows) {
                $0.append(matrix.layout)
                $0.append(tiles)
                $0.append(counts: matrix.rows, matrix.columns, panel.block)
                $0.append(onCard.orders, at: panel.order)
                $0.append(onCard.factors, at: panel.factors + 4 * panel.first * panel.width)
                $0.append(counts: panel.first, panel.width)
                for memory in [values, matrix.scales, matrix.seconds, differences, matrix.codes] { $0.append(memory) }
            }
        }
    }

    /// Sums up what is lost of each row.
    func measure(_ matrix: Matrix, against original: DeviceMemory) throws {
        let decoded = try room(.decoded, matrix.rows * matrix.columns * 4)
        let sums = try room(.sums, matrix.rows * MemoryLayout<CardLane.RowSums>.stride)
        try launch(.values, threads: matrix.rows * matrix.columns) {
            $0.append(matrix.layout)
            $0.append(matrix.codes)
            $0.append(counts: matrix.rows, matrix.columns)
            $0.append(matrix.scales)
            $0.append(matrix.seconds)
            $0.append(decoded)
        }
        try stream.launch(rowProgram, DeviceProgram.rowErrors, threads: matrix.rows) {
            $0.append(original)
            $0.append(decoded)
            $0.append(counts: matrix.rows, matrix.columns)
            $0.append(sums)
        }
    }
}
