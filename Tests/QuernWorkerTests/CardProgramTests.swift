import Logging
import QuernCUDA
import QuernFormats
import QuernKernels
import QuernWorker
import TestSupport
import Testing

/// The programs for cards, by NVIDIA's compiler. It needs no card.
@Suite struct CardProgramTests {
    private static let programs =
        [.rows, .forward, .weights] + EncodingFixture.types.filter(\.isQuantized).map(DeviceProgram.blocks)
        + EncodableTypes.all.filter(\.isRefined).map(DeviceProgram.refining)

    /// Compilers of CUDA 13, which look for their parts otherwise than those before, one program of each kind.
    @Test(arguments: [DeviceProgram.rows, .forward, .weights, .blocks(.iq3_s), .refining(.iq2_xxs)])
    func compilesWithCUDA13(_ program: DeviceProgram) throws {
        let compiler = try CUDACompiler(
            CUDALibraries(folders: [try SimulatedCards.compilerFolder(cuda: 13)]), driver: nil)
        #expect(compiler.version.major == 13)
        let image = try compiler.compile(CUDAProgram(program), for: ComputeCapability(9, 0))
        #expect(image.kind == .cubin && image.bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]))
    }

    @Test(arguments: programs, [ComputeCapability(8, 0), ComputeCapability(9, 0), ComputeCapability(10, 0)])
    func compiles(_ program: DeviceProgram, _ card: ComputeCapability) throws {
        let compiler = try CUDACompiler(
            CUDALibraries(folders: [try SimulatedCards.compilerFolder()]), driver: nil)
        let cache = ProgramCache(folder: SimulatedCards.programs, logger: Logger(label: "test"))
        let image = try cache.image(of: CUDAProgram(program), for: card, compiler: .success(compiler))
        #expect(image.kind == .cubin)
        // An ELF file, in whose table of names the kernels are.
        #expect(image.bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]))
        let text = String(decoding: image.bytes.map { $0 < 0x80 ? $0 : 0x3f }, as: UTF8.self)
        for kernel in program.kernels { #expect(text.contains(".text.\(kernel)\0")) }
        #expect(text.contains("\0\(DeviceProgram.tableAddresses)\0") || program.tables.isEmpty)
    }
}
