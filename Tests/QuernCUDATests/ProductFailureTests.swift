import Foundation
import QuernCUDA
import QuernFormats
import TestSupport
import Testing

/// Products that cannot be computed: what the caller is told.
@Suite struct ProductFailureTests {
    private let shape = ProductShape(rows: 2, columns: 3, inner: 4, operand: .float)

    private func refusal(_ libraries: CUDALibraries) -> QuernError? {
        do throws(QuernError) { _ = try CUDAProducts(libraries) } catch { return error }
        return nil
    }

    @Test func describesItself() throws {
        let cards = try SimulatedCards()
        let library = try CUDAProducts(CUDALibraries(folders: [cards.path]))
        #expect(library.version == "12.9.3")
        #expect(library.place.hasPrefix(cards.path))
    }

    @Test func noLibrary() throws {
        let error = try #require(refusal(CUDALibraries(folders: [try TemporaryFolder().path])))
        #expect(error.code == .unsupported)
        #expect(error.message == "there is no cuBLASLt (libcublasLt.so)")
        #expect(error.remedy.contains("nvidia-cublas-cu12") && error.remedy.contains("QUERN_CUDA_LIBRARIES"))
    }

    @Test func brokenLibrary() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("no library", to: "libcublasLt.so.13")
        let error = try #require(refusal(CUDALibraries(environment: ["QUERN_CUDA_LIBRARIES": folder.path])))
        #expect(error.message.contains("cuBLASLt cannot be used: \(path): "), "\(error)")
        #expect(error.code == .unsupported && error.remedy.contains("nvidia-cublas-cu12"))
    }

    @Test func libraryOfSomethingElse() throws {
        let folder = try TemporaryFolder()
        try folder.link("libcublasLt.so.12", to: try SimulatedCards.compilerFolder() + "/libnvrtc.so.12")
        let error = try #require(refusal(CUDALibraries(folders: [folder.path])))
        #expect(error.message.contains("libnvrtc.so.12 lacks the function cublasLtCreate"), "\(error)")
    }

    @Test(arguments: [(driver: nil as Int?, first: "13"), (12, "12"), (13, "13"), (14, "13")])
    func namesBeginWithTheDriversVersion(driver: Int?, first: String) {
        let names = CUDAProducts.names(for: driver)
        #expect(names.first == "libcublasLt.so.\(first)" && Set(names).count == 2)
    }

    /// By whatever function: a status has one meaning.
    @Test(arguments: [
        (status: 3, kind: CUDAFailure.Kind.outOfMemory, code: QuernError.Code.outOfMemory, name: "ALLOC_FAILED"),
        (13, .deviceLost, .io, "EXECUTION_FAILED"), (14, .deviceLost, .io, "INTERNAL_ERROR"),
        (1, .other, .unsupported, "NOT_INITIALIZED"), (8, .other, .unsupported, "ARCH_MISMATCH"),
        (15, .other, .unsupported, "NOT_SUPPORTED"), (7, .other, .internalFault, "INVALID_VALUE"),
    ])
    func meanings(status: Int, kind: CUDAFailure.Kind, code: QuernError.Code, name: String) throws {
        for call in [
            "cublasLtCreate", "cublasLtMatrixLayoutCreate", "cublasLtMatmulDescSetAttribute",
            "cublasLtMatmulPreferenceCreate", "cublasLtMatmulAlgoGetHeuristic", "cublasLtMatmul",
        ] {
            let rig = try Rig()
            try rig.cards.set("FAILURES", "\(call):1:\(status)")
            let failed = try #require(
                failure { _ = try ProductCase(shape).run(try rig.products(), on: rig.stream) })
            #expect(failed.kind == kind && failed.status == status && failed.error.code == code, "\(failed)")
            #expect(failed.error.message.hasPrefix(call), "\(failed)")
            #expect(failed.error.message.contains("failed with CUBLAS_STATUS_\(name) (\(status)), a simulated status"))
            #expect(failed.error.location == "card 0 (Simulated GPU 0, 0000:01:00.0)")
            #expect(failed.error.remedy.isEmpty == (code == .internalFault))
        }
    }

    @Test func heuristicFindsNothing() throws {
        let expected = "cublasLtMatmulAlgoGetHeuristic for F32 [2, 3] = BF16 [2, 4] · [3, 4]ᵀ, rows 4, 4, 3 apart"
        let wanted = ProductShape(rows: 2, columns: 3, inner: 4, operand: .bfloat16)
        for settings in [["CAPABILITY": "7.5"], ["FAILURES": "cublasLtMatmulAlgoGetHeuristic:1:15"]] {
            let failed = try #require(failure { _ = try Rig(settings).products().product(wanted) })
            #expect(failed.kind == .other && failed.status == 15 && failed.error.code == .unsupported)
            #expect(failed.error.message.hasPrefix(expected + " failed with CUBLAS_STATUS_NOT_SUPPORTED (15)"))
        }
        // It is asked anew the next time.
        let rig = try Rig()
        let products = try rig.products()
        try rig.cards.set("FAILURES", "cublasLtMatmulAlgoGetHeuristic:1:3")
        #expect(failure { _ = try products.product(wanted) }?.kind == .outOfMemory)
        #expect(try products.product(wanted).shape == wanted)
    }

    /// After memory was short the card goes on; after it failed, nothing does.
    @Test func theCardAfterwards() throws {
        let asked = ProductCase(shape)
        let rig = try Rig()
        let products = try rig.products()
        try rig.cards.set("FAILURES", "cublasLtMatmul:1:3,cublasLtMatmul:3:13")
        #expect(failure { _ = try asked.run(products, on: rig.stream) }?.kind == .outOfMemory)
        #expect(isSame(try asked.run(products, on: rig.stream), asked.expected))
        for _ in 0..<3 { #expect(failure { _ = try asked.run(products, on: rig.stream) }?.kind == .deviceLost) }
        #expect(failure { try rig.stream.synchronize() }?.status == 719)
        #expect(failure { _ = try rig.products() } != nil)
    }

    @Test func aLostCardComputesNothing() throws {
        let rig = try Rig()
        let product = try rig.products().product(shape)
        let memory = try DeviceMemory(rig.context, count: 1024)
        try rig.cards.set("FAILURES", "cuStreamSynchronize:1:719")
        #expect(failure { try rig.stream.synchronize() }?.kind == .deviceLost)
        let failed = try #require(
            failure {
                try rig.stream.multiply(
                    product, a: memory.address, b: memory.address + 256, c: memory.address + 512, workspace: memory)
            })
        #expect(failed.kind == .deviceLost)
    }

    /// A matrix that reaches out of the card's memory: told when the product runs, and the card is lost.
    @Test(arguments: 0..<3) func outOfBounds(which: Int) throws {
        let rig = try Rig()
        let product = try rig.products().product(shape)
        // Bytes of A, B and C, one element less for one of them.
        let memory = try [32, 48, 24].enumerated().map { index, count in
            try DeviceMemory(rig.context, count: index == which ? count - 4 : count)
        }
        let workspace = try DeviceMemory(rig.context, count: 64)
        try rig.stream.multiply(
            product, a: memory[0].address, b: memory[1].address, c: memory[2].address, workspace: workspace)
        let failed = try #require(failure { try rig.stream.synchronize() })
        #expect(failed.status == 700 && failed.kind == .deviceLost)
    }
}
