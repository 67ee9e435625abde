// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "MiXProcessManager",
    products: [
        .library(name: "MiXProcessManager", type: .dynamic, targets: ["MiXProcessManager"]),
        .library(name: "CMiXProcess", targets: ["CMiXProcess"]),
    ],
    dependencies: [
        .package(path: "../Nucleus"),
        .package(path: "../MiXFileManager"),
        .package(path: "../MiXDeviceManager"),
        .package(path: "../MiXSocketManager"),
    ],
    targets: [
        .target(name: "CMiXProcess"),  // the public protocol, headers only
        .target(name: "CProcessHost"),  // host calls Swift cannot spell, headers only
        .target(
            name: "CMiXProcessNote",  // the ELF note that names the object
            dependencies: [.product(name: "CChorus", package: "Nucleus")]
        ),
        .target(
            name: "MiXProcessManager",
            dependencies: [
                .product(name: "CChorus", package: "Nucleus"),
                .product(name: "ActorKit", package: "Nucleus"),
                .product(name: "CMiXFile", package: "MiXFileManager"),
                .product(name: "CMiXDevice", package: "MiXDeviceManager"),
                .product(name: "CMiXSocket", package: "MiXSocketManager"),
                "CMiXProcess", "CMiXProcessNote", "CProcessHost",
            ],
            linkerSettings: [.unsafeFlags(["-Xlinker", "--version-script=\(Context.packageDirectory)/exports.map"])]
        ),
        .testTarget(name: "MiXProcessManagerTests", dependencies: ["MiXProcessManager"]),
    ],
    swiftLanguageModes: [.v6]
)
