import QuernFormats

/// Bytes of the source: a run of neighbours, or what strides pick.
public struct Extent: Sendable, Codable, Equatable {
    public enum Origin: Sendable, Codable, Equatable {
        /// Index into the files that go with the extent.
        case file(Int)
        /// Values the planner computed, such as RoPE factors.
        case blob(Digest)
        /// The values of quantized weights, row after row: offsets count their bytes.
        case weights(QuantizedMatrix)
    }
    public let origin: Origin
    /// Of the first byte; where there are strides, of the first byte they pick.
    public let offset: UInt64
    /// How many bytes it stands for.
    public let length: UInt64
    /// Nil where the bytes are neighbours.
    public let strides: Strides?

    public init(origin: Origin, offset: UInt64, length: UInt64, strides: Strides? = nil) {
        self.origin = origin
        self.offset = offset
        self.length = length
        self.strides = strides
    }

    /// `length` of its bytes, beginning with the one at `start`.
    public func part(at start: UInt64, length: UInt64, origin: Origin) -> Extent {
        guard let strides else { return Extent(origin: origin, offset: offset + start, length: length) }
        return Extent(origin: origin, offset: offset, length: length, strides: strides.skipping(start))
    }

    /// The same with other indices of files.
    public func mapFiles(_ index: (Int) -> Int) -> Extent {
        let mapped: Origin =
            switch origin {
            case .file(let file): .file(index(file))
            case .blob: origin
            case .weights(let matrix): .weights(matrix.mapFiles(index))
            }
        return Extent(origin: mapped, offset: offset, length: length, strides: strides)
    }
}

/// Bytes picked at regular distances, for tensors whose rows are moved, left out or transposed on the way: unit
/// (g, r, c) begins g·groupStride + r·rowStride + c·columnStride after the offset, and units come in the order of g, r
/// and c, the last one moving fastest. There are as many groups as the extent's length takes.
public struct Strides: Sendable, Codable, Equatable {
    /// Bytes that stay together; at least 1.
    public let unit: Int
    /// Units in a row, at least 1, and bytes from one to the next.
    public let columns: Int
    public let columnStride: Int
    /// Rows in a group, at least 1, and bytes from one to the next.
    public let rows: Int
    public let rowStride: Int
    /// Bytes from one group to the next.
    public let groupStride: Int
    /// Bytes picked that come before the extent's own, which was cut from a larger one.
    public let skip: UInt64

    public init(
        unit: Int, columns: Int = 1, columnStride: Int = 0, rows: Int = 1, rowStride: Int = 0, groupStride: Int,
        skip: UInt64 = 0
    ) {
        self.unit = unit
        self.columns = columns
        self.columnStride = columnStride
        self.rows = rows
        self.rowStride = rowStride
        self.groupStride = groupStride
        self.skip = skip
    }

    func skipping(_ count: UInt64) -> Strides {
        Strides(
            unit: unit, columns: columns, columnStride: columnStride, rows: rows, rowStride: rowStride,
            groupStride: groupStride, skip: skip + count)
    }
}

extension Strides {
    /// In every group of `size` rows (even), row 2i + j is row j·size/2 + i of the source: from RoPE over halves, as
    /// transformers has it, to RoPE over neighbours, as llama.cpp's "NORM" families have it.
    public static func interleavedHalves(rowBytes: Int, size: Int) -> Strides {
        Strides(
            unit: rowBytes, columns: 2, columnStride: size / 2 * rowBytes, rows: size / 2, rowStride: rowBytes,
            groupStride: size * rowBytes)
    }

    /// Of every `stride` bytes the first `count`.
    public static func first(_ count: Int, of stride: Int) -> Strides {
        Strides(unit: count, groupStride: stride)
    }

    /// Every matrix of [rows, columns] elements of `element` bytes, of which `matrixBytes` hold one, transposed.
    /// - Parameter columnStep: 2 where only every other column is taken.
    public static func transposed(
        rows: Int, columns: Int, columnStep: Int = 1, element: Int, rowBytes: Int, matrixBytes: Int
    ) -> Strides {
        Strides(
            unit: element, columns: rows, columnStride: rowBytes, rows: columns, rowStride: columnStep * element,
            groupStride: matrixBytes)
    }
}

extension Extent.Origin {
    private enum Kind: String, CodingKey {
        case file, blob, weights
    }

    public init(from decoder: any Decoder) throws {
        let (kind, container) = try decoder.onlyKey(Kind.self)
        switch kind {
        case .file: self = .file(try container.decode(Int.self, forKey: kind))
        case .blob: self = .blob(try container.decode(Digest.self, forKey: kind))
        case .weights: self = .weights(try container.decode(QuantizedMatrix.self, forKey: kind))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Kind.self)
        switch self {
        case .file(let index): try container.encode(index, forKey: .file)
        case .blob(let digest): try container.encode(digest, forKey: .blob)
        case .weights(let matrix): try container.encode(matrix, forKey: .weights)
        }
    }
}
