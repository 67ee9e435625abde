// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "DriverKitStubs",
    products: [
        .library(name: "DriverKitStubs", type: .dynamic, targets: ["DriverKitStubs"]),
        .library(name: "CDriver", targets: ["CDriver"]),
        .library(name: "CMiXDriver", targets: ["CMiXDriver"]),
    ],
    dependencies: [
        .package(path: "../Nucleus"),
        .package(path: "../MiXFileManager"),
    ],
    targets: [
        .target(name: "CDriver"),  // the driver ABI, headers only
        .target(name: "CMiXDriver"),  // the protocol, headers only
        .target(name: "CMiXDriverNote", dependencies: [.product(name: "CChorus", package: "Nucleus")]),
        .target(name: "CDriverGuard", dependencies: ["CDriver"]),  // the fence around drivers' code
        .target(name: "CBusHost"),
        .target(name: "SimulatedBus", dependencies: ["CBusHost"]),  // devices by their specifications; no nucleus
        .target(name: "RestartPolicy"),
        .target(
            name: "DriverKitStubs",
            dependencies: [
                "CDriver", "CDriverGuard", "CMiXDriver", "CMiXDriverNote", "SimulatedBus", "RestartPolicy",
                .product(name: "CChorus", package: "Nucleus"),
                .product(name: "ActorKit", package: "Nucleus"),
                .product(name: "CMiXFile", package: "MiXFileManager"),
            ],
            linkerSettings: [.unsafeFlags(["-Xlinker", "--version-script=\(Context.packageDirectory)/exports.map"])]),
        .testTarget(name: "SimulatedBusTests", dependencies: ["SimulatedBus"]),
        .testTarget(name: "RestartPolicyTests", dependencies: ["RestartPolicy"]),
    ],
    swiftLanguageModes: [.v6]
)
