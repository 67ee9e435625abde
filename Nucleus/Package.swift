// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Nucleus",
    products: [
        .library(name: "Nucleus", type: .dynamic, targets: ["Nucleus"]),
        .library(name: "CChorus", targets: ["CChorus"]),
        .library(name: "ActorKit", type: .static, targets: ["ActorKit"]),
        .library(name: "KnLane", type: .static, targets: ["KnLane"]),
        .executable(name: "chorus-actor-host", targets: ["ChorusActorHost"]),
    ],
    targets: [
        .target(name: "CChorus"),  // the public C ABI, headers only
        .systemLibrary(name: "CFFI", pkgConfig: "libffi", providers: [.apt(["libffi-dev"])]),
        .target(name: "ActorKit", dependencies: ["CChorus"]),  // thin Swift overlay, linked statically into servers
        .target(name: "CLane", dependencies: ["CChorus"]),  // lane layout and doorbells
        .target(name: "KnLane", dependencies: ["CChorus", "CFFI", "CLane"]),  // signatures, marshalling, lanes
        .target(name: "NucleusCore", dependencies: ["CChorus"]),  // portable: no host system call
        .target(name: "CMachine", dependencies: ["CChorus"]),  // mailbox layout, host call shims
        .target(name: "MachineLinux", dependencies: ["NucleusCore", "CMachine", "CChorus"]),
        .target(name: "CNucleusNote", dependencies: ["CChorus"]),
        .target(
            name: "Nucleus",
            dependencies: ["NucleusCore", "MachineLinux", "KnLane", "CLane", "CChorus", "CNucleusNote"],
            linkerSettings: [.unsafeFlags(["-Xlinker", "--version-script=\(Context.packageDirectory)/exports.map"])]),
        .executableTarget(name: "ChorusActorHost", dependencies: ["KnLane", "CLane", "CChorus"]),  // user servers live here
        .target(  // a mapper for tests
            name: "MapperFixture", dependencies: ["NucleusCore", "ActorKit"], path: "Tests/MapperFixture"),
        .testTarget(
            name: "NucleusCoreTests", dependencies: ["NucleusCore", "MachineLinux", "ActorKit", "MapperFixture"]),
        .testTarget(
            name: "MachineLinuxTests",
            dependencies: ["MachineLinux", "NucleusCore", "CMachine", "CChorus", "ActorKit", "MapperFixture"]),
        .testTarget(
            name: "KnLaneTests",
            dependencies: ["KnLane", "CLane", "CChorus", "Nucleus", "NucleusCore", "MachineLinux", "ChorusActorHost"],
            exclude: ["Fixtures"]),
    ],
    swiftLanguageModes: [.v6]
)
