import CChorus

/// /proc/sysvipc/shm, sem and msg (proc(5)): every object, whoever asks.
enum IpcText {
    static func segments(_ manager: ProcessManager) -> String {
        var text =
            "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime"
            + "      dtime      ctime                   rss                  swap\n"
        for segment in manager.ipc.segments.all {
            let attachments = segment.attachments()
            var (object, stat) = (segment.segment, KnSgStat())
            let resident = manager.nucleus.sgStat(&object, &stat) >= 0 ? stat.resident : 0
            segment.lock.withLock {
                text += head(segment) + field(segment.size, 21) + field(segment.creator, 5) + field(segment.lastPid, 5)
                text += " " + field(attachments, 5) + owners(segment)
                text += field(segment.attached, 10) + field(segment.detached, 10) + field(segment.changed, 10)
                text += field(resident, 21) + field(0, 21) + "\n"
            }
        }
        return text
    }

    static func semaphores(_ manager: ProcessManager) -> String {
        var text = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n"
        for set in manager.ipc.semaphores.all {
            set.lock.withLock {
                text += head(set) + field(set.semaphores.count, 10) + owners(set)
                text += field(set.operated, 10) + field(set.changed, 10) + "\n"
            }
        }
        return text
    }

    static func queues(_ manager: ProcessManager) -> String {
        var text =
            "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime"
            + "      rtime      ctime\n"
        for queue in manager.ipc.messages.all {
            queue.lock.withLock {
                text += head(queue) + " " + field(queue.bytes, 10) + field(queue.messages.count, 10)
                text += field(queue.sent.pid, 5) + field(queue.received.pid, 5) + owners(queue)
                text += field(queue.sent.time, 10) + field(queue.received.time, 10) + field(queue.changed, 10) + "\n"
            }
        }
        return text
    }

    /// `key id  perms`; under the object's lock, as what follows.
    private static func head(_ object: IpcObject) -> String {
        let permission = object.permission
        return Text.right(permission.key, 10) + field(object.id, 10) + "  "
            + Text.right(String(permission.mode, radix: 8), 4)
    }

    private static func owners(_ object: IpcObject) -> String {
        let permission = object.permission
        return field(permission.uid, 5) + field(permission.gid, 5) + field(permission.creatorUid, 5)
            + field(permission.creatorGid, 5)
    }

    private static func field(_ value: some BinaryInteger, _ width: Int) -> String {
        " " + Text.right(String(value), width)
    }
}
