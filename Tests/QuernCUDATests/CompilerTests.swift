import QuernCUDA
import QuernFormats
import TestSupport
import Testing

/// NVRTC itself: it needs no card.
@Suite struct CompilerTests {
    static let program = CUDAProgram(
        name: "scale.cu",
        source: """
            #include "factor.h"
            extern "C" __global__ void scale(float *values, unsigned count) {
                unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
                if (i < count) values[i] = values[i] * FACTOR + OFFSET;
            }
            """,
        headers: [CUDAProgram.Header(name: "factor.h", text: "#define FACTOR 3.0f\n")],
        options: CUDAProgram.exactArithmetic + ["-DOFFSET=1.0f"])

    static func compiler() throws -> CUDACompiler {
        try CUDACompiler(CUDALibraries(folders: [SimulatedCards.compilerFolder()]), driver: nil)
    }

    @Test func describesItself() throws {
        let compiler = try Self.compiler()
        #expect(compiler.version.major == 12)
        #expect(compiler.place.hasSuffix("/libnvrtc.so.12"))
        for known in [ComputeCapability(8, 0), ComputeCapability(9, 0), ComputeCapability(10, 0)] {
            #expect(compiler.architectures.contains(known))
        }
    }

    @Test(arguments: [ComputeCapability(8, 0), ComputeCapability(9, 0), ComputeCapability(10, 0)])
    func compiles(card: ComputeCapability) throws {
        let image = try Self.compiler().compile(Self.program, for: card)
        #expect(image.kind == .cubin)
        // An ELF file for CUDA (machine 190), with the kernel in it.
        #expect(image.bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) && image.bytes[18] == 190)
        #expect(String(decoding: image.bytes, as: UTF8.self).contains(".text.scale"))
        #expect(try Self.compiler().compile(Self.program, for: card) == image)
    }

    /// Cards that are newer than the compiler get PTX for the newest one that it knows.
    @Test func newerCard() throws {
        let compiler = try Self.compiler()
        let newest = try #require(compiler.architectures.last)
        let image = try compiler.compile(Self.program, for: ComputeCapability(99, 0))
        #expect(image.kind == .ptx)
        let text = String(decoding: image.bytes, as: UTF8.self)
        #expect(text.contains(".target sm_\(newest.major)\(newest.minor)") && text.contains(".entry scale"))
        // A product, rounded, and a sum, rounded: nothing is fused.
        #expect(text.contains("mul.rn.f32") && text.contains("add.rn.f32") && !text.contains("fma"))
    }

    @Test func fusedWhereItIsAllowed() throws {
        let fused = CUDAProgram(
            name: "scale.cu", source: Self.program.source, headers: Self.program.headers, options: ["-DOFFSET=1.0f"])
        let image = try Self.compiler().compile(fused, for: ComputeCapability(99, 0))
        #expect(String(decoding: image.bytes, as: UTF8.self).contains("fma.rn.f32"))
    }

    @Test func olderCard() throws {
        let error = #expect(throws: QuernError.self) {
            try Self.compiler().compile(Self.program, for: ComputeCapability(3, 5))
        }
        #expect(error?.code == .unsupported)
        #expect(error?.message.contains("knows no cards of compute capability 3.5") == true)
    }

    @Test func brokenProgram() throws {
        let broken = CUDAProgram(name: "broken.cu", source: "__global__ void f() {\n    undeclared = 1;\n}\n")
        let error = #expect(throws: QuernError.self) {
            try Self.compiler().compile(broken, for: ComputeCapability(9, 0))
        }
        #expect(error?.code == .invalidInput && error?.location == "broken.cu")
        #expect(
            error?.message.contains("broken.cu(2): error: identifier \"undeclared\" is undefined") == true, "\(error)")
    }

    @Test func longLogsAreCut() throws {
        let lines = (0..<2000).map { "    undeclared\($0) = 1;\n" }.joined()
        let broken = CUDAProgram(name: "broken.cu", source: "__global__ void f() {\n\(lines)}\n")
        let error = #expect(throws: QuernError.self) {
            try Self.compiler().compile(broken, for: ComputeCapability(9, 0))
        }
        #expect((error?.message.count ?? .max) < 1700)
        #expect(error?.message.contains("undeclared0") == true && error?.message.hasSuffix(" …") == true)
    }

    @Test func unknownOption() throws {
        let wrong = CUDAProgram(name: "a.cu", source: "", options: ["--no-such-option"])
        let error = #expect(throws: QuernError.self) {
            try Self.compiler().compile(wrong, for: ComputeCapability(9, 0))
        }
        #expect(error?.message.contains("NVRTC_ERROR_INVALID_OPTION") == true, "\(error)")
    }

    @Test func noCompiler() throws {
        let error = #expect(throws: QuernError.self) {
            try CUDACompiler(CUDALibraries(folders: [try TemporaryFolder().path]), driver: nil)
        }
        #expect(error?.message == "there is no NVRTC (libnvrtc.so)")
        #expect(error?.remedy.contains("nvidia-cuda-nvrtc-cu12") == true)
    }

    @Test(arguments: [
        (driver: nil as Int?, first: "libnvrtc.so.13"), (12, "libnvrtc.so.12"), (13, "libnvrtc.so.13"),
        (15, "libnvrtc.so.15"), (16, "libnvrtc.so.15"),
    ])
    func namesBeginWithTheDriversVersion(driver: Int?, first: String) {
        let names = CUDACompiler.names(for: driver)
        #expect(names.first == first)
        #expect(Set(names).count == 5 && names.last == "libnvrtc.so")
    }
}
