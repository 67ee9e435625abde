import CLane
import Glibc

// chorus-actor-host NAME SOCKET PARENT: the host process of one user actor. It is started by the nucleus and dies with it.

guard CommandLine.arguments.count == 4, let socket = Int32(CommandLine.arguments[2]),
    let parent = Int32(CommandLine.arguments[3])
else {
    kn_lane_complain("chorus-actor-host: is started by the nucleus, not by hand\n")
    exit(64)
}
guard kn_lane_die_with(parent) == 0, let host = ActorHost(name: CommandLine.arguments[1], socket: socket) else {
    _exit(1)
}
host.catchFaults()
host.receiveLanes()
_exit(0)
