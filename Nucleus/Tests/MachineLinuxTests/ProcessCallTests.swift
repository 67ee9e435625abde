import CChorus
import Glibc
import NucleusCore
import Synchronization
import Testing

@testable import MachineLinux

/// Guest code for one nucleus call: its result becomes the exit code.
private func program(_ op: UInt32, _ arguments: UInt32...) -> [UInt8] {
    func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
    // mov edi/esi/edx/r10d, imm32 (sign-extended where it is negative)
    let registers: [[UInt8]] = [[0x48, 0xc7, 0xc7], [0x48, 0xc7, 0xc6], [0x48, 0xc7, 0xc2], [0x49, 0xc7, 0xc2]]
    var code: [UInt8] = []
    for (register, value) in zip(registers, arguments) { code += register + word(value) }
    // mov eax,number; syscall; mov edi,eax; mov eax,60; syscall; ud2
    code += [0xb8] + word(K_USER_TRAP + op) + [0x0f, 5, 0x89, 0xc7, 0xb8, 60, 0, 0, 0, 0x0f, 5, 0x0f, 0x0b]
    return code
}

/// On the guest's stack page: room that is zero at first.
private let somewhere: UInt32 = 0x4ff100
private let forEver = UInt32.max

extension MiniKernel {
    fileprivate var ports: UInt32 { stat.ports }
    fileprivate var stat: KnActorStat {
        var stats = [KnActorStat](repeating: KnActorStat(), count: 16)
        var count: UInt32 = 16
        let table = site.actor(named: "mini")!.table
        _ = table.pointee.actorStat(table.pointee.`self`, &count, &stats)
        return stats.prefix(Int(count)).first { $0.cap.ui.uiTail == actor.cap.ui.uiTail } ?? KnActorStat()
    }
    /// Until the guest's thread waits in the nucleus.
    fileprivate func untilParked() -> Bool {
        for _ in 0..<40_000 {
            if let thread = try? site.thread(li), guests.threadStanding(thread) == K_TH_PARKED, thread.blockedOn != "" {
                return true
            }
            usleep(500)
        }
        return false
    }
    fileprivate func send(_ to: KnUniqueId) -> Int32 {
        let table = site.actor(named: "mini")!.table
        var dest = KnIpcDest(target: to, coTarget: KnUniqueId())
        return table.pointee.ipcSend(table.pointee.`self`, K_DEFAULTPORT, &dest, K_FUNCMODE, nil, nil, 0)
    }
}

@Suite(.serialized) struct ProcessCallTests {
    @Test func aProcessMakesAPort() throws {
        let kernel = try #require(MiniKernel())
        try #require(kernel.start(program(K_USR_PORTCREATE, 0, somewhere)))
        #expect(kernel.wait() == 1)
        #expect(kernel.ports == 2)
        kernel.end()
    }

    @Test(
        arguments: [
            (K_USR_PORTCREATE, 0, 8, K_EFAULT), (K_USR_PORTCREATE, 8, somewhere, K_EFAULT),
            (K_USR_PORTCREATE, somewhere, somewhere, K_EPRIV), (K_USR_PORTDELETE, 0, 0, K_EINVAL),
            (K_USR_PORTENABLE, 0, 5, K_EUNKNOWN), (K_USR_GRPALLOCATE, UInt32(K_STATSYS), somewhere, K_EPRIV),
            (K_USR_GRPPORTINSERT, somewhere, somewhere, K_EUNKNOWN), (K_USR_IPCREPLY, somewhere, 0, K_ENOMSG),
            (K_USR_IPCRESTORE, 1, 0, K_EUNKNOWN), (K_USR_IPCRECEIVE, 8, 0, K_EFAULT), (K_USR_CALLS, 0, 0, K_ENOSYS),
        ] as [(UInt32, UInt32, UInt32, Int32)])
    func whatIsWrongIsRefused(_ op: UInt32, _ first: UInt32, _ second: UInt32, _ code: Int32) throws {
        let kernel = try #require(MiniKernel())
        try #require(kernel.start(program(op, first, second)))
        #expect(kernel.wait() == code)
        #expect(kernel.ports == 1)
        kernel.end()
    }

    @Test func aMessageEndsItsWait() throws {
        let kernel = try #require(MiniKernel())
        try #require(kernel.start(program(K_USR_IPCRECEIVE, somewhere, 0, forEver)))
        #expect(kernel.untilParked())
        let own = try #require(kernel.site.actor(ui: kernel.actor.cap.ui))
        var ui = KnUniqueId()
        #expect(own.table.pointee.portUi(own.table.pointee.`self`, &ui, K_DEFAULTPORT) == K_OK)
        #expect(kernel.send(ui) == K_OK)
        #expect(kernel.wait() == K_DEFAULTPORT)
        kernel.end()
    }

    @Test(arguments: [
        program(K_USR_IPCRECEIVE, somewhere, 0, forEver), program(K_USR_THREADDELAY, forEver),
    ])
    func anAbortEndsItsWait(_ code: [UInt8]) throws {
        let kernel = try #require(MiniKernel())
        _ = kernel.guests.abortHandler(
            kernel.actor,
            { cookie, li, _ in
                guard let cookie else { return K_EINVAL }
                let kernel = Unmanaged<MiniKernel>.fromOpaque(cookie).takeUnretainedValue()
                kernel.faults.wrappingAdd(1, ordering: .sequentiallyConsistent)
                return K_CONTEXT
            }, Unmanaged.passUnretained(kernel).toOpaque())
        try #require(kernel.start(code))
        #expect(kernel.untilParked())
        let table = kernel.site.actor(named: "mini")!.table
        #expect(table.pointee.threadAbort(table.pointee.`self`, kernel.li) == K_OK)
        #expect(kernel.wait() == K_EABORT)
        // The subsystem had its say before the call returned.
        #expect(kernel.faults.load(ordering: .sequentiallyConsistent) == 1)
        kernel.end()
    }

    @Test func itsEndEndsItsWait() throws {
        let kernel = try #require(MiniKernel())
        try #require(kernel.start(program(K_USR_IPCRECEIVE, somewhere, 0, forEver)))
        #expect(kernel.untilParked())
        let thread = try kernel.site.thread(kernel.li)
        #expect(kernel.site.deleteActor(kernel.actor) == K_OK)
        for _ in 0..<40_000 where thread.blockedOn != "" { usleep(500) }
        #expect(thread.blockedOn == "")
        #expect(kernel.exitCode.load(ordering: .acquiring) == -1)
    }

    @Test func aSiteMayForbidIt() throws {
        let kernel = try #require(MiniKernel())
        kernel.site.processIpc.store(false, ordering: .relaxed)
        try #require(kernel.start(program(K_USR_PORTCREATE, 0, somewhere)))
        #expect(kernel.wait() == -ENOSYS)
        #expect(kernel.ports == 1)
        kernel.end()
    }
}
