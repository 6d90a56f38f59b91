// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "quern",
    products: [
        .executable(name: "quern", targets: ["quern"]),
        // For tests: what they give out as NVIDIA's driver.
        .library(name: "SimulatedCUDA", type: .dynamic, targets: ["SimulatedCUDA"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // C
        .target(name: "CCUDA", linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
        .target(name: "CDNNL", linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
        .target(name: "CQuernKernels"),
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CMalloc"),
        .systemLibrary(name: "COniguruma", pkgConfig: "oniguruma", providers: [.apt(["libonig-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),

        // Formats and schemas
        .target(name: "QuernFormats"),
        .target(
            name: "QuernSchemas", path: "Schemas",
            resources: [
                .embedInCode("openapi.yaml"), .embedInCode("manifest.schema.json"), .embedInCode("migrations"),
            ]),

        // Kernels, store, jobs, planning
        .target(name: "QuernKernels", dependencies: ["CQuernKernels", "QuernFormats"]),
        .target(
            name: "QuernStore",
            dependencies: ["CZstd", "QuernFormats", .product(name: "Crypto", package: "swift-crypto")]),
        .target(
            name: "QuernJobs",
            dependencies: ["QuernFormats", "QuernStore", .product(name: "Yams", package: "Yams")]),
        .target(
            name: "QuernPlanning",
            dependencies: ["QuernFormats", "QuernJobs", "QuernStore", .product(name: "Yams", package: "Yams")]),

        // Cards
        .target(
            name: "QuernCUDA",
            dependencies: [
                "CCUDA", "QuernFormats", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ]),

        // The model: tokenizers, forward pass, statistics, evaluation
        .target(
            name: "QuernModel",
            dependencies: [
                "CDNNL", "COniguruma", "CQuernKernels", "QuernFormats", "QuernStore", "QuernJobs", "QuernKernels",
                "QuernPlanning",
            ]),

        // Client, coordinator and worker
        .target(
            name: "QuernClient",
            dependencies: [
                "QuernFormats", "QuernStore", "QuernJobs",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        .target(
            name: "QuernCoordinator",
            dependencies: [
                "CLibPQ", "QuernSchemas", "QuernFormats", "QuernStore", "QuernJobs", "QuernPlanning",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Coordinator",
            resources: [.embedInCode("Web/index.html")]),
        .target(
            name: "QuernWorker",
            dependencies: [
                "CMalloc", "QuernCUDA", "QuernFormats", "QuernStore", "QuernJobs", "QuernKernels", "QuernModel",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Workers"),
        .executableTarget(
            name: "quern",
            dependencies: [
                "QuernCUDA", "QuernFormats", "QuernStore", "QuernJobs", "QuernKernels", "QuernPlanning", "QuernModel",
                "QuernCoordinator", "QuernWorker", "QuernClient", "QuernSchemas",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ]),

        // Benchmarks
        .executableTarget(
            name: "quern-kernel-benchmark",
            dependencies: [
                "QuernFormats", "QuernKernels", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/Kernels"),
        .executableTarget(
            name: "quern-card-benchmark",
            dependencies: [
                "QuernCUDA", "QuernFormats", "QuernKernels", "QuernModel", "QuernPlanning", "QuernWorker",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Benchmarks/Cards"),
        .executableTarget(
            name: "quern-coordinator-benchmark",
            dependencies: [
                "QuernClient", "QuernCoordinator", "QuernFormats", "QuernJobs", "QuernStore", "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/Coordinator"),

        // Tests
        .target(
            name: "FuzzTargets",
            dependencies: ["QuernFormats", "QuernStore", "QuernJobs", "QuernPlanning", "QuernModel"],
            path: "Tests/Fuzz/Targets"),
        .target(
            name: "TestSupport",
            dependencies: [
                "QuernClient", "QuernFormats", "QuernStore", .product(name: "NIOCore", package: "swift-nio"),
            ], path: "Tests/Support",
            exclude: ["credential_server.py", "hub_server.py", "s3_presigned.py", "s3_server.py"]),
        .executableTarget(
            name: "quern-faults",
            dependencies: [
                "QuernClient", "QuernCoordinator", "QuernFormats", "QuernJobs", "QuernStore", "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Tests/Faults", exclude: ["README.md", "RESULTS.md"]),
        .target(name: "SimulatedCUDA", dependencies: ["CCUDA", "CQuernKernels"], path: "Tests/SimulatedCUDA"),
        .testTarget(name: "QuernFormatsTests", dependencies: ["QuernFormats", "TestSupport"]),
        .testTarget(
            name: "QuernKernelsTests", dependencies: ["CQuernKernels", "QuernKernels", "QuernFormats", "TestSupport"]),
        .testTarget(
            name: "QuernCUDATests",
            dependencies: [
                "QuernCUDA", "QuernFormats", "TestSupport", .product(name: "Logging", package: "swift-log"),
            ]),
        .testTarget(
            name: "QuernStoreTests",
            dependencies: [
                "QuernStore", "QuernFormats", "TestSupport", .product(name: "Crypto", package: "swift-crypto"),
            ]),
        .testTarget(
            name: "QuernJobsTests", dependencies: ["QuernJobs", "QuernFormats", "QuernStore", "TestSupport"]),
        .testTarget(
            name: "QuernPlanningTests",
            dependencies: ["QuernPlanning", "QuernFormats", "QuernJobs", "QuernStore", "TestSupport"]),
        .testTarget(
            name: "QuernModelTests",
            dependencies: [
                "QuernModel", "QuernFormats", "QuernJobs", "QuernKernels", "QuernPlanning", "QuernStore",
                "TestSupport",
            ]),
        .testTarget(
            name: "QuernCoordinatorTests",
            dependencies: [
                "QuernClient", "QuernCoordinator", "QuernFormats", "QuernJobs", "QuernPlanning", "QuernSchemas",
                "QuernStore", "TestSupport",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ]),
        .testTarget(
            name: "QuernClientTests",
            dependencies: [
                "QuernClient", "QuernFormats", "QuernStore", "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
            ]),
        .testTarget(
            name: "QuernWorkerTests",
            dependencies: [
                "QuernWorker", "QuernCUDA", "QuernFormats", "QuernJobs", "QuernKernels", "QuernModel", "QuernPlanning",
                "QuernStore", "TestSupport", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        .testTarget(name: "FuzzCorpusTests", dependencies: ["FuzzTargets"]),
        .testTarget(
            name: "EndToEnd",
            dependencies: [
                "quern", "quern-faults", "QuernClient", "QuernFormats", "QuernStore", "TestSupport",
                .product(name: "Crypto", package: "swift-crypto"), .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Tests/EndToEnd"),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .gnucxx17
)

// For `make fuzz` alone: libFuzzer has a main function of its own, and what it is to learn from counts its branches.
if Context.environment["QUERN_FUZZ"] != nil {
    let read = ["QuernFormats", "QuernStore", "QuernJobs", "QuernPlanning", "QuernModel", "FuzzTargets"]
    for target in package.targets where read.contains(target.name) {
        target.swiftSettings = [.unsafeFlags(["-sanitize=address,fuzzer"])]
    }
    package.targets.append(
        .executableTarget(
            name: "quern-fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/Driver",
            linkerSettings: [.unsafeFlags(["-sanitize=address,fuzzer"])]))
}
