// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "MiXSocketManager",
    products: [
        .library(name: "MiXSocketManager", type: .dynamic, targets: ["MiXSocketManager"]),
        .library(name: "CMiXSocket", targets: ["CMiXSocket"]),
    ],
    dependencies: [
        .package(path: "../Nucleus"),
        .package(path: "../MiXFileManager"),
    ],
    targets: [
        .target(name: "CMiXSocket"),  // the protocol, headers only
        .target(name: "CMiXSocketNote", dependencies: [.product(name: "CChorus", package: "Nucleus")]),
        .target(
            name: "MiXSocketManager",
            dependencies: [
                "CMiXSocket", "CMiXSocketNote",
                .product(name: "CChorus", package: "Nucleus"),
                .product(name: "ActorKit", package: "Nucleus"),
                .product(name: "CMiXFile", package: "MiXFileManager"),
            ],
            linkerSettings: [.unsafeFlags(["-Xlinker", "--version-script=\(Context.packageDirectory)/exports.map"])]),
        .testTarget(name: "MiXSocketManagerTests", dependencies: ["MiXSocketManager", "CMiXSocket"]),
    ],
    swiftLanguageModes: [.v6]
)
