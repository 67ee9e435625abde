import CChorus

extension Call {
    /// Compares and exchanges a futex word, atomically for the instructions of other threads. False: it was another.
    func swapWord(at address: UInt64, from old: UInt32, to new: UInt32) throws(Errno) -> Bool {
        try manager.swapWord(task, at: address, from: old, to: new)
    }

    /// Applies `change` until nothing came in between; the word before it.
    func changeWord(at address: UInt64, _ change: (UInt32) throws(Errno) -> UInt32) throws(Errno) -> UInt32 {
        while true {
            let old = try readStruct(UInt32.self, at: address)
            if try swapWord(at: address, from: old, to: change(old)) { return old }
        }
    }
}

extension ProcessManager {
    /// By a task that is trapped or parked.
    func swapWord(_ task: Task, at address: UInt64, from old: UInt32, to new: UInt32) throws(Errno) -> Bool {
        let code = withUnsafeBytes(of: (old, new)) {
            nucleus.svCopyOut(task.thread, $0.baseAddress, address, UInt32($0.count), K_COPY_SWAP)
        }
        if code == K_EBUSY { return false }
        try check(code, memory: true)
        return true
    }
}
