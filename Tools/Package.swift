// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Tools",
    products: [.executable(name: "chorus", targets: ["Chorus"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(path: "../Nucleus"),
        .package(path: "../MiXFileManager"),
        .package(path: "../MiXDeviceManager"),
        .package(path: "../MiXProcessManager"),
        .package(path: "../DriverKitStubs"),
    ],
    targets: [
        .target(name: "CKeeper"),  // the keeper process: before any thread, in C
        .target(name: "CToolHost"),  // host calls that glibc does not wrap for Swift, inline
        .target(name: "Toml"),  // TOML 1.0 with the line of every key
        .target(name: "Manifest", dependencies: ["Toml", .product(name: "CChorus", package: "Nucleus")]),
        .target(name: "ObjectNote", dependencies: [.product(name: "CChorus", package: "Nucleus")]),
        .target(
            name: "Loader",
            dependencies: [
                "Manifest", "ObjectNote", "CToolHost",
                .product(name: "CChorus", package: "Nucleus"),
                .product(name: "CMiXFile", package: "MiXFileManager"),
                .product(name: "CMiXDevice", package: "MiXDeviceManager"),
                .product(name: "CMiXProcess", package: "MiXProcessManager"),
                .product(name: "CMiXDriver", package: "DriverKitStubs"),
                .product(name: "CDriver", package: "DriverKitStubs"),
            ]),
        .executableTarget(
            name: "Chorus",
            dependencies: [
                "CKeeper", "Loader", "Manifest", "ObjectNote", "CToolHost",
                .product(name: "CChorus", package: "Nucleus"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .testTarget(name: "ManifestTests", dependencies: ["Toml", "Manifest"]),
        .testTarget(name: "ObjectNoteTests", dependencies: ["ObjectNote"]),
        .testTarget(
            name: "LoaderTests",
            dependencies: ["Loader", "Manifest", .product(name: "CMiXFile", package: "MiXFileManager")]),
    ],
    swiftLanguageModes: [.v6]
)
