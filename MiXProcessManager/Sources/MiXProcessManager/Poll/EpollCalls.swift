/// epoll_create, epoll_ctl, epoll_wait and their variants.
enum EpollCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (
            213, "epoll_create",
            { (call) throws(Errno) in
                guard call.int(0) > 0 else { throw .EINVAL }
                return .done(value: try call.install(EpollFile(call.manager), closeOnExec: false))
            }
        ),
        (
            291, "epoll_create1",
            { (call) throws(Errno) in
                if call.uint(0) & ~FileFlags.closeOnExec != 0 { throw .EINVAL }
                return .done(value: try call.install(EpollFile(call.manager), closeOnExec: call.uint(0) != 0))
            }
        ),
        (233, "epoll_ctl", control),
        (232, "epoll_wait", { (call) throws(Errno) in try wait(call, milliseconds(call)) }),
        (
            281, "epoll_pwait",
            { (call) throws(Errno) in
                try PollCalls.temporaryMask(call, at: call[4], size: call[5])
                return try wait(call, milliseconds(call))
            }
        ),
        (
            441, "epoll_pwait2",
            { (call) throws(Errno) in
                try PollCalls.temporaryMask(call, at: call[4], size: call[5])
                return try wait(call, PollCalls.timeout(call, at: call[3]))
            }
        ),
    ]

    // EPOLL_CTL_*
    private static let add: Int32 = 1, remove: Int32 = 2, modify: Int32 = 3

    private static func milliseconds(_ call: Call) -> (deadline: UInt64?, polls: Bool) {
        let time = call.int(3)
        return time < 0 ? (nil, false) : (call.deadline(after: UInt64(time) * 1_000_000), time == 0)
    }

    private static func set(_ call: Call) throws(Errno) -> EpollFile {
        guard let epoll = try call.openDescription(0) as? EpollFile else { throw .EINVAL }
        return epoll
    }

    @Sendable private static func control(_ call: Call) throws(Errno) -> Outcome {
        let operation = call.int(1)
        var (events, data): (UInt32, UInt64) = (0, 0)
        if operation != remove {
            // struct epoll_event is packed on x86-64: 12 bytes.
            events = try call.readStruct(UInt32.self, at: call[3])
            data = try call.readStruct(UInt64.self, at: call[3] &+ 4)
        }
        // Linux asks in this order: both descriptors, whether the target can be polled, whether the first is a set.
        _ = try call.openDescription(0)
        let target = try call.openDescription(2)
        guard target.isPollable else { throw .EPERM }
        let epoll = try set(call)
        if target === epoll { throw .EINVAL }
        let fd = call.int(2)
        switch operation {
        case add:
            // Of an exclusive entry little may be asked (epoll_ctl(2)).
            if events & EpollFile.exclusive != 0 {
                guard events & ~EpollFile.withExclusive == 0, !(target is EpollFile) else { throw .EINVAL }
            }
            try epoll.add(fd, target, events: events, data: data)
        case remove: try epoll.remove(fd, target)
        case modify:
            if events & EpollFile.exclusive != 0 { throw .EINVAL }
            try epoll.modify(fd, target, events: events, data: data)
        default: throw .EINVAL
        }
        return .zero
    }

    private static func wait(_ call: Call, _ time: (deadline: UInt64?, polls: Bool)) throws(Errno) -> Outcome {
        let epoll = try set(call)
        let room = Int(call.int(2))
        guard room > 0, room <= 0x7fff_ffff / 12 else { throw .EINVAL }
        var ready = epoll.take(room)
        if ready.isEmpty && !time.polls && !call.timedOut {
            call.enlist(on: epoll.source.queue)
            ready = epoll.take(room)
            if ready.isEmpty { return .park(Wait(until: time.deadline, restart: .interrupt, for: "ep_poll")) }
        }
        if ready.isEmpty { return .zero }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(ready.count * 12)
        for event in ready {
            withUnsafeBytes(of: event.events) { bytes.append(contentsOf: $0) }
            withUnsafeBytes(of: event.data) { bytes.append(contentsOf: $0) }
        }
        try call.copyOut(bytes, to: call[1])
        return .done(Int64(ready.count))
    }
}
