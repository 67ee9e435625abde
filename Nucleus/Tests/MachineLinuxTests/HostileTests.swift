import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization
import Testing

@testable import MachineLinux

/// Instructions of hostile guests. A guest's mailbox is at MB_AREAS + slot * MB_AREA_SIZE, its top of stack tells where.
private enum Code {
    /// mov rax, imm64
    static func load(_ value: UInt64) -> [UInt8] {
        [0x48, 0xb8] + withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
    /// mov rbx, imm64
    static func base(_ value: UInt64) -> [UInt8] {
        [0x48, 0xbb] + withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
    /// mov dword [rbx + offset], value
    static func store(_ offset: UInt32, _ value: UInt32) -> [UInt8] {
        [0xc7, 0x83] + withUnsafeBytes(of: offset.littleEndian) { Array($0) }
            + withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
    static func call(_ number: UInt32) -> [UInt8] {
        [0xb8] + withUnsafeBytes(of: number.littleEndian) { Array($0) } + [0x0f, 5]
    }
    static var forever: [UInt8] { [0xeb, 0xfe] }
}

private enum Word {
    static var post: UInt32 { 0 }
    static var kind: UInt32 { 4 }
    static var frame: UInt32 { UInt32(MemoryLayout<mb_guest>.offset(of: \.frame) ?? 0) }
    static var prefetched: UInt32 { UInt32(MemoryLayout<mb_guest>.offset(of: \.prefetched) ?? 0) }
    static var offsets: UInt32 { UInt32(MemoryLayout<mb_guest>.offset(of: \.prefetchOffset) ?? 0) }
    static var lengths: UInt32 { UInt32(MemoryLayout<mb_guest>.offset(of: \.prefetchLength) ?? 0) }
}

extension MiniKernel {
    /// Runs code that knows its mailbox. The first blank of a site lives in slot 1, 2 or 3: it is told which.
    fileprivate func startKnowing(_ code: (UInt64) -> [UInt8]) -> Bool {
        guard start(Code.forever) else { return false }
        usleep(5000)
        guard let thread = try? site.thread(li), let guest = guests.guest(thread) else { return false }
        let text = code(AreaTable.guestAddress(guest.slot))
        let written = text.dropFirst(2).withUnsafeBytes { guests.actorWrite(actor, 0x400002, $0) }
        guard written == text.count - 2 else { return false }
        return text.prefix(2).withUnsafeBytes { guests.actorWrite(actor, 0x400000, $0) } == 2
    }

    /// The site still serves others.
    fileprivate func servesAnother() -> Bool {
        let other = site.createActor(name: "other", privilege: K_UNIXACTOR, creator: actor.creator)
        defer { site.deleteActor(other) }
        var start = KnThreadStart()
        start.flags = UInt32(K_START_BLANK)
        guard case .success = guests.threadCreate(other, start, from: nil) else { return false }
        var text = KnRgnDesc(
            startAddr: 0x400000, size: 4096, options: UInt32(K_READABLE | K_WRITABLE), opaque: 0, endAddr: 0)
        return guests.rgnAllocate(other, &text) == K_OK
    }

    fileprivate func until(_ tries: Int = 10_000, _ done: () -> Bool) -> Bool {
        for _ in 0..<tries {
            if done() { return true }
            usleep(500)
        }
        return done()
    }

    /// Children of the site's zygote's parent, known and not.
    fileprivate var hostChildren: [Int32] {
        guests.sweeper.parents.withLock { $0 }.flatMap { parent -> [Int32] in
            var room = [Int32](repeating: 0, count: 1000)
            let count = guest_children(parent, &room, 1000)
            return count > 0 ? Array(room[0..<Int(count)]) : []
        }
    }
}

@Suite(.serialized) struct HostileTests {
    @Test(arguments: [0, 1, 5, 6, 0x8000_0000, 0xffff_ffff] as [UInt32])
    func forgedKindsEndTheirGuestOnly(_ kind: UInt32) throws {
        let kernel = try #require(MiniKernel())
        try #require(
            kernel.startKnowing {
                Code.base($0) + Code.store(Word.kind, kind) + Code.store(Word.post, 1000) + Code.forever
            })
        #expect(kernel.until(2000) { wake(kernel) && kernel.exitCode.load(ordering: .acquiring) != -1 })
        #expect(kernel.wait() == 1000 + SIGKILL)
        #expect(kernel.servesAnother())
        kernel.site.deleteActor(kernel.actor)
    }

    @Test(arguments: [0, 8, 0x2dff8, 0x2e004, 0x40000, 0xffff_fff8] as [UInt32])
    func framesOutOfRangeEndTheirGuestOnly(_ frame: UInt32) throws {
        let kernel = try #require(MiniKernel())
        try #require(
            kernel.startKnowing {
                Code.base($0) + Code.store(Word.kind, UInt32(KIND_TRAP)) + Code.store(Word.frame, frame)
                    + Code.store(Word.post, 1000) + Code.forever
            })
        #expect(kernel.until(2000) { wake(kernel) && kernel.exitCode.load(ordering: .acquiring) != -1 })
        #expect(kernel.wait() == 1000 + SIGKILL)
        #expect(kernel.servesAnother())
        kernel.site.deleteActor(kernel.actor)
    }

    @Test(
        arguments: [
            (0xffff_ffff, 0xffff_ffff), (0x4000, 0xffff_ffff), (0xffff_f000, 0x1000), (0x13fff, 0x10000), (0, 0x10000),
            (0x4000, 0x10000),
        ] as [(UInt32, UInt32)])
    func prefetchLengthsAreNotBelieved(_ offset: UInt32, _ length: UInt32) throws {
        let kernel = try #require(MiniKernel())
        kernel.answer = { kernel, frame in
            guard let thread = try? kernel.site.thread(frame.pointee.thread) else { return K_OK }
            var bytes = [UInt8](repeating: 0, count: 0x10000)
            // Only what lies in the mailbox may be taken without asking the stub, which does not answer here.
            guard offset == 0x4000, length == 0x10000 else {
                kernel.exitCode.store(7, ordering: .releasing)
                _ = bytes.withUnsafeMutableBytes { kernel.guests.copyIn(thread, frame.pointee.args.0, $0) }
                return K_PARKED
            }
            let code = bytes.withUnsafeMutableBytes { kernel.guests.copyIn(thread, frame.pointee.args.0, $0) }
            kernel.exitCode.store(code == K_OK ? 7 : 8, ordering: .releasing)
            return K_PARKED
        }
        try #require(
            kernel.startKnowing {
                Code.base($0) + Code.store(Word.kind, UInt32(KIND_TRAP)) + Code.store(Word.frame, 0x3e000)
                    + Code.store(Word.prefetched, 1) + Code.store(Word.offsets, offset)
                    + Code.store(Word.lengths, length) + Code.store(Word.post, 1000) + Code.forever
            })
        #expect(kernel.until(2000) { wake(kernel) && kernel.exitCode.load(ordering: .acquiring) != -1 })
        #expect(kernel.wait() == 7)
        kernel.site.deleteActor(kernel.actor)
        #expect(kernel.servesAnother())
    }

    @Test func aSilentStubHoldsUpNobody() throws {
        let kernel = try #require(MiniKernel())
        kernel.answer = { kernel, frame in
            guard let thread = try? kernel.site.thread(frame.pointee.thread) else { return K_OK }
            var byte: UInt8 = 0
            _ = withUnsafeMutableBytes(of: &byte) { kernel.guests.copyIn(thread, 0x400000, $0) }
            return K_PARKED
        }
        // Posts a trap without being in the stub: nobody answers the copy.
        try #require(
            kernel.startKnowing {
                Code.base($0) + Code.store(Word.kind, UInt32(KIND_TRAP)) + Code.store(Word.frame, 0x3e000)
                    + Code.store(Word.post, 1000) + Code.forever
            })
        #expect(kernel.until(200) { wake(kernel) && kernel.calls.load(ordering: .acquiring) == 1 })
        // Another guest's calls are served meanwhile.
        let other = try #require(MiniGuest(kernel))
        #expect(kernel.until(2000) { other.isServed })
        // Its process is ended after a while, which ends the wait.
        #expect(kernel.until(40_000) { kernel.exitCode.load(ordering: .acquiring) == 1000 + SIGKILL })
        kernel.site.deleteActor(kernel.actor)
        other.end()
    }

    @Test func unknownChildrenAreKilled() throws {
        let kernel = try #require(MiniKernel())
        let before = kernel.guests.sweeper.killed.load(ordering: .relaxed)
        // clone(CLONE_VM | CLONE_PARENT | SIGCHLD) by the stub's own instructions, found in its image: the child takes a
        // page of the guest's for its mailbox and waits there for ever.
        let path = kernel.guests.zygotePath
        let image = try #require(fopen(path, "r"))
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let size = fread(&bytes, 1, bytes.count, image)
        fclose(image)
        let pattern: [UInt8] = [0xb8, 0x38, 0, 0, 0, 0x0f, 5]
        let at = try #require((0..<size - 7).first { Array(bytes[$0..<$0 + 7]) == pattern })
        let address = 0x7fe0_0000_0000 + UInt64(at)
        // mov edi,flags; xor esi,esi; xor edx,edx; xor r10d,r10d; xor r8d,r8d; mov r9,0x4ff000; push loop; jmp there
        var code: [UInt8] = [0xbf, 0x11, 0x81, 0, 0, 0x31, 0xf6, 0x31, 0xd2, 0x45, 0x31, 0xd2, 0x45, 0x31, 0xc0]
        code += [0x49, 0xb9, 0, 0xf0, 0x4f, 0, 0, 0, 0, 0]
        let loop = code.count + 5 + 10 + 2
        code += [0x68, UInt8(loop), 0, 0x40, 0] + Code.base(address) + [0xff, 0xe3] + Code.forever
        try #require(kernel.start(code))
        #expect(kernel.until { kernel.guests.sweeper.killed.load(ordering: .relaxed) > before })
        #expect(kernel.exitCode.load(ordering: .acquiring) == -1)
        kernel.site.deleteActor(kernel.actor)
        #expect(kernel.until(6000) { Reaper.shared.unknown(kernel.hostChildren).isEmpty })
        #expect(kernel.servesAnother())
    }

    @Test func aKilledZygoteIsReplaced() throws {
        let kernel = try #require(MiniKernel())
        #expect(kernel.servesAnother())
        let first = try #require(kernel.guests.startZygote()).first.process
        for _ in 0..<3 {
            let zygote = try #require(kernel.guests.startZygote()).first.process
            kill(zygote.pid.load(ordering: .relaxed), SIGKILL)
            #expect(kernel.until { zygote.dead.load(ordering: .acquiring) })
            for _ in 0..<5 { #expect(kernel.servesAnother()) }
        }
        #expect(kernel.guests.startZygote()?.first.process !== first)
    }

    @Test func slotsAndDescriptorsComeBack() throws {
        let kernel = try #require(MiniKernel())
        for _ in 0..<20 { #expect(kernel.servesAnother()) }
        usleep(50_000)
        let before = descriptors()
        for _ in 0..<300 { #expect(kernel.servesAnother()) }
        #expect(kernel.until { descriptors() <= before + 4 })
        #expect(kernel.guests.areas.high.load(ordering: .relaxed) <= 1100)
    }

    @Test func deletedActorsAreFreed() throws {
        let kernel = try #require(MiniKernel())
        weak var actor: Actor?
        weak var thread: NucleusCore.Thread?
        weak var process: GuestProcess?
        do {
            let other = try #require(MiniGuest(kernel))
            actor = other.actor
            thread = other.thread
            process = kernel.guests.guest(other.thread)?.process
            other.end()
        }
        #expect(kernel.until { wake(kernel) && actor == nil && thread == nil && process == nil })
    }

    @Test func noMoreSlotsIsAnError() throws {
        let kernel = try #require(MiniKernel())
        #expect(kernel.servesAnother())
        var slots: [Int32] = []
        while let (slot, descriptor) = kernel.guests.areas.allocate() {
            closeDescriptor(descriptor)
            slots.append(slot)
        }
        #expect(slots.count > AreaTable.capacity - 8)
        // The spares are still there; then there is nothing.
        var refused = false
        for _ in 0..<4 where !kernel.servesAnother() { refused = true }
        #expect(refused)
        for slot in slots { kernel.guests.areas.release(slot) }
        #expect(kernel.until { kernel.servesAnother() })
    }
}

/// The pool looks at all mailboxes.
private func wake(_ kernel: MiniKernel) -> Bool {
    kernel.guests.wakePool()
    usleep(1000)
    return true
}

private func descriptors() -> Int {
    guard let directory = opendir("/proc/self/fd") else { return -1 }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    return count
}

/// A second guest beside a MiniKernel's own: counts as served once its actor has a region.
private final class MiniGuest {
    let kernel: MiniKernel
    let actor: Actor
    let thread: NucleusCore.Thread
    init?(_ kernel: MiniKernel) {
        self.kernel = kernel
        actor = kernel.site.createActor(name: "second", privilege: K_UNIXACTOR, creator: kernel.actor.creator)
        var start = KnThreadStart()
        start.flags = UInt32(K_START_BLANK)
        guard case .success(let li) = kernel.guests.threadCreate(actor, start, from: nil),
            let thread = try? kernel.site.thread(li)
        else { return nil }
        self.thread = thread
        var text = KnRgnDesc(
            startAddr: 0x400000, size: 4096, options: UInt32(K_READABLE | K_WRITABLE | K_EXECUTABLE), opaque: 0,
            endAddr: 0)
        guard kernel.guests.rgnAllocate(actor, &text) == K_OK else { return nil }
        let code: [UInt8] = [0xb8, 39, 0, 0, 0, 0x0f, 5] + Code.forever
        guard code.withUnsafeBytes({ kernel.guests.copyOut(thread, $0, 0x400000, deferred: false) }) == K_OK else {
            return nil
        }
        var context = KnThreadCtx()
        context.rip = 0x400000
        context.rsp = 0x401000
        guard kernel.guests.threadContext(thread, nil, &context) == K_OK,
            kernel.guests.trapComplete(thread, 0, context: true) == K_OK
        else { return nil }
    }
    /// Its call has reached the handler.
    var isServed: Bool { kernel.calls.load(ordering: .acquiring) > 1 }
    func end() { kernel.site.deleteActor(actor) }
}
