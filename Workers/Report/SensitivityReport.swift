import QuernFormats
import QuernJobs

/// What a measurement says: sizes against expected divergence, types for some sizes, what tensors cost. A page like a
/// job's report; the same measurement gives the same bytes.
public struct SensitivityReport: Sendable {
    /// Types that would be chosen for a size.
    public struct Goal: Sendable {
        public struct Tensor: Sendable {
            public let name: String
            public let type: TensorType
            public let bytes: UInt64
            public init(name: String, type: TensorType, bytes: UInt64) {
                self.name = name
                self.type = type
                self.bytes = bytes
            }
        }
        public let point: TradeOffs.Point
        /// Of all files.
        public let size: UInt64
        /// The matrices.
        public let tensors: [Tensor]

        public init(_ point: TradeOffs.Point, size: UInt64, tensors: [Tensor]) {
            self.point = point
            self.size = size
            self.tensors = tensors
        }
    }

    private let sensitivity: SensitivityFile
    private let tradeOffs: TradeOffs
    private let goals: [Goal]

    public init(_ sensitivity: SensitivityFile, tradeOffs: TradeOffs, goals: [Goal] = []) {
        self.sensitivity = sensitivity
        self.tradeOffs = tradeOffs
        self.goals = goals
    }

    public func html() -> String {
        let cost = CostMap(probes: sensitivity.tensors.map(TypeChoice.Probe.init)).html
        return HTML.page(
            title: sensitivity.source + " · Quern sensitivity",
            HTML.header(
                kicker: "Quern sensitivity", title: sensitivity.source,
                lead: "What tensors cost in each type, and what sizes cost",
                facts: [
                    (
                        "Measured on",
                        "\(sensitivity.text), \(sensitivity.chunks) chunks of \(sensitivity.chunkTokens) tokens"
                    ),
                    ("Encoder", sensitivity.encoder),
                ]) + sizes + goals.map(types).joined() + HTML.section("Cost of tensors", cost))
    }

    private var sizes: String {
        let charts = TradeOffCharts(tradeOffs: tradeOffs)
        let rows = goals.map { goal in
            [
                goal.point.name ?? "", Figure.bytes(goal.size), Figure.fixed(goal.point.bitsPerWeight, 2),
                Figure.short(goal.point.divergence),
            ].map(HTML.escape)
        }
        let lead =
            "Divergences are expected as the sum of what every tensor was measured to cost in its type. "
            + "Presets are taken with the encoder that was measured."
        return HTML.section(
            "Size and divergence",
            HTML.element("p", [], HTML.escape(lead))
                + charts.chart(goals.map { .init(point: $0.point, kind: "expected") }, key: "sizes asked for")
                + (goals.isEmpty
                    ? "" : HTML.table(["Size", "Bytes of files", "Bits per weight", "Expected divergence"], rows))
                + charts.presetTable)
    }

    private func types(_ goal: Goal) -> String {
        let grid = TensorGrid(goal.tensors, name: \.name)
        let name = goal.point.name ?? ""
        func cell(_ tensor: Goal.Tensor) -> HeatMap.Cell {
            let (fill, text) = ColourScale.colour(ofBits: tensor.type.bitsPerWeight)
            return HeatMap.Cell(
                fill: fill, text: text, label: "\(tensor.type)",
                title: "\(tensor.name): \(tensor.type), \(Figure.bytes(tensor.bytes))")
        }
        let key = TypeKey(goal.tensors.map { ("\($0.type)", $0.type.bitsPerWeight, $0.bytes) })
        return HTML.section(
            name,
            HTML.caption("Types by layer", key: key.html)
                + grid.map("Types of \(name) by kind of tensor and layer", cell: cell) + grid.beside(cell))
    }
}
