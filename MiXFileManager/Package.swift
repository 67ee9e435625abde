// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "MiXFileManager",
    products: [
        .library(name: "MiXFileManager", type: .dynamic, targets: ["MiXFileManager"]),
        .library(name: "CMiXFile", targets: ["CMiXFile"]),
    ],
    dependencies: [.package(path: "../Nucleus")],
    targets: [
        .target(name: "CMiXFile"),  // the object, file and process information protocols, headers only
        .target(name: "CFileHost"),  // host calls that glibc does not wrap for Swift, inline
        .target(name: "CMiXFileNote", dependencies: [.product(name: "CChorus", package: "Nucleus")]),
        .target(
            name: "FileCore",
            dependencies: [
                "CMiXFile", "CFileHost", .product(name: "CChorus", package: "Nucleus"),
                .product(name: "ActorKit", package: "Nucleus"),
            ]),
        .target(
            name: "MiXFileManager",
            dependencies: [
                "FileCore", "CMiXFile", "CMiXFileNote", .product(name: "CChorus", package: "Nucleus"),
                .product(name: "ActorKit", package: "Nucleus"),
            ],
            linkerSettings: [.unsafeFlags(["-Xlinker", "--version-script=\(Context.packageDirectory)/exports.map"])]),
        .testTarget(
            name: "MiXFileManagerTests",
            dependencies: ["FileCore", "CMiXFile", .product(name: "CChorus", package: "Nucleus")]),
    ],
    swiftLanguageModes: [.v6]
)
