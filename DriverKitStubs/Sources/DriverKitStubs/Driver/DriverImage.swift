import CDriverGuard
import Glibc

/// A driver's object in the memory of this process.
struct DriverImage: @unchecked Sendable {  // Sendable: constants; the table is the object's own.
    let path: String
    let name: String
    let driver: UnsafePointer<DrvDriver>
    let text: (start: UInt, end: UInt)
    /// Its calls are on a stack of the instance's.
    let hasOwnStack: Bool
    private let handle: UnsafeMutableRawPointer

    struct Problem: Error, CustomStringConvertible {
        let code: Int32
        let description: String
    }

    /// The object's note has been checked by who asks for it.
    init(_ path: String) throws(Problem) {
        var found: UnsafePointer<DrvDriver>?
        var (range, flags): ((UInt, UInt), UInt32) = ((0, 0), 0)
        var why = [CChar](repeating: 0, count: 512)
        guard let handle = drv_open(path, &found, &flags, &range.0, &range.1, &why, why.count), let driver = found
        else {
            let text = why.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
            throw Problem(code: ENOEXEC, description: text)
        }
        self.handle = handle
        self.path = path
        self.driver = driver
        text = (range.0, range.1)
        hasOwnStack = flags & DRV_OWN_STACK != 0
        let file = path.split(separator: "/").last.map(String.init) ?? path
        func refuse(_ what: String) -> Problem {
            _ = drv_close(handle, 0)
            return Problem(code: ENOEXEC, description: "\(file): \(what)")
        }
        // The table is the object's own constant; a smaller one is of an older ABI and lacks what came later.
        let least = MemoryLayout<DrvDriver>.offset(of: \DrvDriver.event).map { UInt32($0) } ?? 0
        let table = driver.pointee
        guard table.size >= least else { throw refuse("its \(DRV_ENTRY) has \(table.size) bytes, needed are \(least)") }
        guard table.abiMajor == UInt16(DRV_ABI_MAJOR) else {
            throw refuse(
                "driver ABI \(table.abiMajor).\(table.abiMinor), this system provides \(DRV_ABI_MAJOR).\(DRV_ABI_MINOR)"
            )
        }
        guard let named = table.name, table.`init` != nil else {
            throw refuse("its \(DRV_ENTRY) names no driver, or has no init")
        }
        let name = String(cString: named)
        guard Self.isName(name) else { throw refuse("\"\(name)\" is no name") }
        self.name = name
    }

    static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 31 && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    }

    var matches: [DriverMatch] {
        (0..<Int(min(driver.pointee.matchCount, 256))).compactMap { index in
            guard let match = driver.pointee.match?[index], let model = match.model else { return nil }
            return DriverMatch(model: String(cString: model), id: match.id)
        }
    }

    /// True where the object is really gone from memory.
    func close() -> Bool { drv_close(handle, text.start) == 0 }
}

/// What a driver says it can drive: a model, and its id or 0.
struct DriverMatch: Sendable {
    let model: String
    let id: UInt32
}
