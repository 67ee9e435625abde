import CChorus
import CMiXDevice
import CMiXFile
import Testing

@testable import MiXProcessManager

/// What the manager does with the answers of a terminal's server.
struct TerminalWaitTests {
    let site = FakeSite()
    private let room = FakeNucleus.base + 0x200
    private let again = Errno.EAGAIN.result

    /// A process with an open character device as descriptor 0.
    private func reader(_ pid: Int32, mode: UInt32 = FileMode.character, flags: UInt32 = 0) throws -> Task {
        let task = site.process(pid)
        var reply = MixObjReply()
        reply.mode = mode
        let object = RemoteObject(
            site.manager, server: KnUniqueId(uiHead: 1, uiTail: 1), reply: reply, flags: FileFlags.readWrite | flags)
        _ = try task.process.files.insert(object, closeOnExec: false, limit: 16)
        return task
    }

    private func reply(_ diag: Int64, events: UInt32 = 0) -> MixObjReply {
        var reply = MixObjReply()
        reply.diag = diag
        reply.events = events
        return reply
    }

    private func asked(_ op: UInt32) -> Int { site.fake.asked.filter { $0.op == op }.count }

    /// The server does not watch for what is true already, so to park then would be to wait for ever.
    @Test func aReadIsTriedAgainForAsLongAsInputIsThere() throws {
        let task = try reader(10)
        var tries = 0
        site.fake.answer = { request in
            if request.op == OBJ_WATCH { return reply(0, events: PollBits.input) }
            tries += 1
            return reply(tries < 4 ? again : 3)
        }
        #expect(site.trap(task, 0, 0, room, 8).result == 3)
        #expect(tries == 4)
    }

    /// A hang-up of the other direction is always true: one more try, no spinning.
    @Test func aHangUpAloneDoesNotMakeAWriterSpin() throws {
        let task = try reader(10)
        site.fake.answer = { $0.op == OBJ_WATCH ? reply(0, events: PollBits.hangUp) : reply(again) }
        #expect(site.trap(task, 1, 0, room, 8).code == K_PARKED)
        #expect(asked(OBJ_WRITE) == 2)
    }

    @Test func aReadThatASignalEndsIsForgottenByTheTerminal() throws {
        let task = try reader(10)
        site.fake.answer = { $0.op == OBJ_READ ? reply(again) : reply(0) }
        #expect(site.trap(task, 0, 0, room, 8).code == K_PARKED)
        task.process.actions[10] = SignalAction(handler: 0x1234, flags: SignalAction.restorerGiven, restorer: 0x99)
        site.manager.enter { site.manager.post(.kernel(10), to: task.process) }
        #expect(!task.isParked)
        #expect(site.fake.asked.last { $0.op == OBJ_WATCH }?.arg.0 == 0)
    }

    @Test func aReadThatWasServedLeavesItsWatchAlone() throws {
        let task = try reader(10)
        var tries = 0
        site.fake.answer = { request in
            if request.op == OBJ_WATCH { return reply(0, events: PollBits.input) }
            tries += 1
            return reply(tries == 1 ? again : 1)
        }
        #expect(site.trap(task, 0, 0, room, 8).result == 1)
        #expect(site.fake.asked.allSatisfy { $0.op != OBJ_WATCH || $0.arg.0 != 0 })
    }

    @Test func aBrokenStreamRaisesSigpipe() throws {
        let task = try reader(10, mode: FileMode.fifo)
        task.process.actions[13] = SignalAction(handler: SignalAction.ignore)
        site.fake.answer = { _ in reply(Errno.EPIPE.result) }
        #expect(site.trap(task, 1, 0, room, 8).result == Errno.EPIPE.result)
        task.process.actions[13] = SignalAction()
        #expect(site.trap(task, 1, 0, room, 8).code == K_PARKED)
        #expect(task.process.exitStatus == 13)
    }

    /// It would read on behind an end of file, which only one read gets to see.
    @Test func sendfileRefusesWhatCannotBePositioned() throws {
        let task = try reader(10, mode: FileMode.fifo)
        site.fake.answer = { _ in reply(2) }
        #expect(site.trap(task, 40, 0, 0, 0, 100).result == Errno.EINVAL.result)
        #expect(asked(OBJ_READ) == 0)
    }

    @Test func aTerminalIsToldOfGroups() throws {
        let task = site.process(10)
        task.process.pgrp = 10
        task.process.sid = 10
        func ask(_ group: UInt64) -> MixObjReply {
            var request = MixObjRequest()
            request.op = PROC_GROUP_ORPHANED
            request.arg.1 = group
            var back = [MixObjReply()]
            var annex = [UInt8](repeating: 0, count: Int(K_CMSGANNEXSIZE))
            annex.withUnsafeMutableBytes { $0.storeBytes(of: request, as: MixObjRequest.self) }
            back.withUnsafeMutableBytes { back in
                _ = annex.withUnsafeBytes {
                    site.manager.message(
                        $0.baseAddress!, UnsafeRawBufferPointer(start: nil, count: 0), back.baseAddress, nil, nil)
                }
            }
            return back[0]
        }
        #expect(ask(10).value.2 == 10)
        #expect(ask(11).diag == Errno.ESRCH.result)
    }

    @Test func tiocsigTakesAValue() {
        #expect(Ioctl.shape(0x4004_5436) == nil)
        #expect(Ioctl.shape(0x5410) == Ioctl.Shape(input: 4))
    }
}
