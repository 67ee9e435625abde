import CMiXFile
import Testing

@testable import FileCore

@Suite struct SysfsTests {
    @Test func lists() {
        #expect(SysTree.list("0-3,8,10-11\n") == [0, 1, 2, 3, 8, 10, 11])
        #expect(SysTree.list("\n").isEmpty)
        #expect(SysTree.list("x,3-1,0-99999999999,-") == [])
    }

    @Test func tree() throws {
        let c = try Client("mount.0=/ tmpfs mode=755\nmount.1=/sys sysfs\nmount.2=/proc proc")
        #expect(c.names("/sys").contains("devices"))
        #expect(c.names("/sys/class/net").isEmpty)
        #expect(c.stat("/sys/devices/system/cpu/cpu0").stat.mode == Linux.S_IFDIR | 0o555)
        #expect(c.stat("/sys/devices/system/cpu/online").stat.mode == Linux.S_IFREG | 0o444)
        #expect(c.names("/proc").contains("bus"))
    }
}
