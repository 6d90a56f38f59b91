import QuernFormats
import QuernKernels
import TestSupport
import Testing

/// Every build of the lanes writes what the plain Swift reference writes.
@Suite struct OddRowTests {
    @Test(arguments: EncodingFixture.types, [false, true])
    func lanesAgreeWithTheReference(_ type: ElementType, weighted: Bool) {
        var draw = OddRows(salt: Int(type.rawValue) * 2 + (weighted ? 1 : 0))
        for _ in 0..<8 {
            let columns = 256 * (1 + draw.integer(below: 3))
            let rows = draw.rows(75, columns: columns)
            let importance = weighted ? draw.importance(columns) : nil
            let expected = Encoder.reference.encode(type, rows: rows, columns: columns, importance: importance)
            for set in InstructionSet.allCases {
                let bytes = Encoder.lanes(set).encode(type, rows: rows, columns: columns, importance: importance)
                let difference = firstDifference(type, columns: columns, bytes, expected)
                #expect(difference == nil, "\(set), QUERN_TEST_SEED=\(draw.seed)")
            }
        }
    }

    /// However many lanes are left over, each row gets the bytes that it gets alone.
    @Test(arguments: EncodingFixture.types, [false, true])
    func rowsDoNotDependOnTheirNeighbours(_ type: ElementType, weighted: Bool) {
        var draw = OddRows(salt: 1000 + Int(type.rawValue) * 2 + (weighted ? 1 : 0))
        let columns = 256
        let rows = draw.rows(40, columns: columns)
        let importance = weighted ? draw.importance(columns) : nil
        let rowBytes = columns / type.blockSize * type.blockBytes
        for set in InstructionSet.allCases {
            let encoder = Encoder.lanes(set)
            let alone = (0..<40).map { row in
                encoder.encode(
                    type, rows: Array(rows[row * columns..<(row + 1) * columns]), columns: columns,
                    importance: importance)
            }
            for count in 1...40 {
                let together = encoder.encode(
                    type, rows: Array(rows[..<(count * columns)]), columns: columns, importance: importance)
                let wrong = (0..<count).first { alone[$0] != Array(together[$0 * rowBytes..<($0 + 1) * rowBytes]) }
                #expect(wrong == nil, "\(set), \(count) rows, QUERN_TEST_SEED=\(draw.seed)")
            }
        }
    }

    /// The reference that the lanes are compared with looks at one row at a time, too.
    @Test(arguments: [ElementType.q4_0, .q5_1], [32, 96, 160])
    func rowsOfFewBlocks(_ type: ElementType, columns: Int) {
        var draw = OddRows(salt: 2000 + columns)
        let rows = draw.rows(19, columns: columns)
        for importance in [nil, draw.importance(columns)] {
            let expected = Encoder.reference.encode(type, rows: rows, columns: columns, importance: importance)
            for set in InstructionSet.allCases {
                let bytes = Encoder.lanes(set).encode(type, rows: rows, columns: columns, importance: importance)
                let difference = firstDifference(type, columns: columns, bytes, expected)
                #expect(difference == nil, "\(set), QUERN_TEST_SEED=\(draw.seed)")
            }
        }
    }

    /// Infinities and NaN have no meaning in a block, but must not hurt.
    @Test(arguments: EncodingFixture.types)
    func survivesWhatIsNotFinite(_ type: ElementType) {
        var draw = OddRows(salt: 3000 + Int(type.rawValue))
        var rows = draw.rows(4, columns: 512)
        for value in [Float.infinity, -.infinity, .nan, .signalingNaN, .greatestFiniteMagnitude] {
            rows[draw.integer(below: rows.count)] = value
        }
        for encoder in Encoder.all {
            for importance in [nil, draw.importance(512)] {
                let bytes = encoder.encode(type, rows: rows, columns: 512, importance: importance)
                #expect(bytes.count == 2048 / type.blockSize * type.blockBytes)
            }
        }
    }

    /// Bytes from a damaged file decode to the same values everywhere.
    @Test(arguments: EncodingFixture.types)
    func decodesAnyBytesAlike(_ type: ElementType) {
        var draw = OddRows(salt: 4000 + Int(type.rawValue))
        let bytes = (0..<50 * type.blockBytes).map { _ in UInt8(truncatingIfNeeded: draw.next()) }
        let expected = decode(type, bytes, with: .plain).map { $0.isNaN ? Float.nan.bitPattern : $0.bitPattern }
        for set in InstructionSet.allCases {
            let values = decode(type, bytes, with: set).map { $0.isNaN ? Float.nan.bitPattern : $0.bitPattern }
            #expect(values == expected, "\(set), QUERN_TEST_SEED=\(draw.seed)")
        }
    }
}
