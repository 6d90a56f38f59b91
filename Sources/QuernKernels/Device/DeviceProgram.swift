import CQuernKernels
import QuernFormats

/// Programs for devices, in CUDA C++: the kernels' own source with one lane to a thread, so that a device writes the
/// bytes that the processor writes.
///
/// They must be compiled with division and square roots rounded as IEEE 754 says, subnormal numbers kept, and no
/// multiplication fused with an addition.
public enum DeviceProgram: Hashable, Sendable {
    /// What rows have in common: how they travel, their mean squares, and what they have lost.
    case rows
    /// Encodes and decodes blocks of a type, one of `types`.
    case blocks(ElementType)
    /// The steps of a forward pass between its matrix products, `ForwardKernel`.
    case forward
    /// Weights as loaders of safetensors store them, `WeightKernel`.
    case weights
    /// Refines blocks of a type that `isRefined`, beside the program of its blocks: `RefineKernel`.
    case refining(ElementType)

    /// Types whose blocks devices encode. The others are copies of a kind, which only memory holds up.
    public static let types: Set<ElementType> = Set(EncodableTypes.all.filter(\.isQuantized))

    /// A file as others include it.
    public struct File: Sendable {
        public let name: String
        public let text: String
    }

    /// The source of all programs.
    public static let files: [File] = {
        var count = 0
        guard let files = quern_device_files(&count) else { return [] }
        return (0..<count).map { File(name: String(cString: files[$0].name), text: String(cString: files[$0].text)) }
    }()

    /// The file that the others are included into.
    public var main: String {
        switch self {
        case .rows, .blocks: "program.h"
        case .forward: "forward_program.h"
        case .weights: "weight_program.h"
        case .refining: "refine_program.h"
        }
    }

    /// Macros that make this program of the source.
    public var definitions: [String: String] {
        switch self {
        case .rows, .forward, .weights: [:]
        case .blocks(let type), .refining(let type): ["QUERN_TYPE": String(type.rawValue)]
        }
    }

    /// What encodes and what decodes blocks of a type.
    public static func encoder(_ type: ElementType) -> String { "quern_encode_\(type.rawValue)" }
    public static func decoder(_ type: ElementType) -> String { "quern_decode_\(type.rawValue)" }
    public static let rowMeans = "quern_row_means"
    public static let rowErrors = "quern_row_errors"
    public static let rowValues = "quern_row_values"

    /// The kernels of the program.
    public var kernels: [String] {
        switch self {
        case .rows: [Self.rowMeans, Self.rowErrors, Self.rowValues]
        case .blocks(let type): [Self.encoder(type), Self.decoder(type)]
        case .forward: ForwardKernel.allCases.map(\.rawValue)
        case .weights: WeightKernel.allCases.map(\.rawValue)
        case .refining(let type): RefineKernel.allCases.map { $0.name(type) }
        }
    }

    /// The variable of a program that holds the addresses of all tables, `DeviceTable.all.count` of 64 bits.
    public static let tableAddresses = "quern_tables"

    /// The tables that the program reads.
    public var tables: [DeviceTable] {
        switch self {
        case .rows, .forward, .weights: []
        case .blocks(.iq3_xxs): [.iq3_xxs, .candidatesOfIQ3_XXS]
        case .blocks(.iq3_s): [.iq3_s, .candidatesOfIQ3_S]
        case .blocks(let type), .refining(let type): Self.codeBook(type).map { [$0] } ?? []
        }
    }

    private static func codeBook(_ type: ElementType) -> DeviceTable? {
        switch type {
        case .iq2_xxs: .iq2_xxs
        case .iq2_xs: .iq2_xs
        case .iq2_s: .iq2_s
        case .iq1_s, .iq1_m: .iq1
        case .iq3_xxs: .iq3_xxs
        case .iq3_s: .iq3_s
        default: nil
        }
    }

    /// Whether the type's encoder goes by the mean squares of rows where there is importance.
    public static func usesRowMeans(_ type: ElementType) -> Bool {
        [.q4_0, .q4_1, .q5_0, .q5_1].contains(type)
    }
}

/// A table that programs for devices read: a code book of an IQ type, or what its search goes by.
public enum DeviceTable: UInt32, CaseIterable, Sendable {
    case iq2_xxs = 0
    case iq2_xs, iq2_s, iq1, iq3_xxs, iq3_s
    case candidatesOfIQ3_XXS, candidatesOfIQ3_S

    /// Built when it is first asked for, in up to 50 ms.
    public var byteCount: Int { quern_device_table_bytes(rawValue) }

    /// Writes the table as it is to lie in the device's memory.
    /// - Parameters:
    ///   - address: where it will lie there, a multiple of 64.
    ///   - memory: `byteCount` bytes.
    public func write(at address: UInt64, into memory: UnsafeMutableRawBufferPointer) {
        precondition(memory.count == byteCount && address % 64 == 0, "a whole table at an aligned address")
        guard let base = memory.baseAddress else { return }
        quern_device_table_write(rawValue, address, base.assumingMemoryBound(to: UInt8.self))
    }
}
