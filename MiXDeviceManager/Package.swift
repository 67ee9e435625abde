// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "MiXDeviceManager",
    products: [
        .library(name: "MiXDeviceManager", type: .dynamic, targets: ["MiXDeviceManager"]),
        .library(name: "CMiXDevice", targets: ["CMiXDevice"]),
    ],
    dependencies: [
        .package(path: "../Nucleus"),
        .package(path: "../MiXFileManager"),
        .package(path: "../DriverKitStubs"),
    ],
    targets: [
        .target(name: "CMiXDevice"),  // the protocol, headers only
        .target(name: "CMiXDeviceNote", dependencies: [.product(name: "CChorus", package: "Nucleus")]),
        .target(name: "TerminalLine"),  // the line discipline, pure
        .target(
            name: "MiXDeviceManager",
            dependencies: [
                "CMiXDevice", "CMiXDeviceNote", "TerminalLine",
                .product(name: "CChorus", package: "Nucleus"),
                .product(name: "ActorKit", package: "Nucleus"),
                .product(name: "CMiXFile", package: "MiXFileManager"),
                .product(name: "CMiXDriver", package: "DriverKitStubs"),
            ],
            linkerSettings: [.unsafeFlags(["-Xlinker", "--version-script=\(Context.packageDirectory)/exports.map"])]),
        .testTarget(name: "TerminalLineTests", dependencies: ["TerminalLine"]),
        .testTarget(
            name: "MiXDeviceManagerTests",
            dependencies: [
                "MiXDeviceManager", "CMiXDevice",
                .product(name: "CChorus", package: "Nucleus"),
                .product(name: "ActorKit", package: "Nucleus"),
                .product(name: "CMiXFile", package: "MiXFileManager"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
