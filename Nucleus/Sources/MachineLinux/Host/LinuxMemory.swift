import CChorus
import CMachine
import Glibc

/// Memory of the nucleus' own process, for supervisors.
extension LinuxHost {
    private func protection(_ options: UInt32) -> Int32 {
        if options & K_RESERVED != 0 { return PROT_NONE }
        return (options & K_READABLE != 0 ? PROT_READ : 0) | (options & K_WRITABLE != 0 ? PROT_WRITE : 0)
            | (options & K_EXECUTABLE != 0 ? PROT_EXEC : 0)
    }

    public func memoryMap(
        _ start: UInt64, _ size: UInt64, _ options: UInt32, _ cache: Int32, _ offset: UInt64, shared: Bool
    ) -> Int64 {
        var flags = (shared ? MAP_SHARED : MAP_PRIVATE) | (cache < 0 ? MAP_ANONYMOUS : 0)
        if start != 0 { flags |= 0x100000 }  // MAP_FIXED_NOREPLACE
        if options & K_NODEMAND != 0 { flags |= MAP_POPULATE }
        guard size <= UInt64(Int.max), let offset = Int(exactly: offset) else { return Int64(K_EINVAL) }
        let wanted = UnsafeMutableRawPointer(bitPattern: UInt(start))
        let place = mmap(wanted, Int(size), protection(options), flags, cache, offset)
        guard let place, place != MAP_FAILED else {
            return Int64(errno == EEXIST ? K_EEXIST : errno == EPERM ? K_EPRIV : errno == ENOMEM ? K_ENOMEM : K_EINVAL)
        }
        // A host that does not know the flag takes the address for a hint.
        if start != 0, place != wanted {
            munmap(place, Int(size))
            return Int64(K_EEXIST)
        }
        return Int64(Int(bitPattern: place))
    }

    public func memoryUnmap(_ start: UInt64, _ size: UInt64, stays: Bool) {
        guard let at = UnsafeMutableRawPointer(bitPattern: UInt(start)) else { return }
        guard stays else {
            munmap(at, Int(size))
            return
        }
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE
        _ = mmap(at, Int(size), PROT_READ | PROT_WRITE, flags, -1, 0)
    }

    public func memoryProtect(_ start: UInt64, _ size: UInt64, _ options: UInt32) -> Int32 {
        guard mprotect(UnsafeMutableRawPointer(bitPattern: UInt(start)), Int(size), protection(options)) == 0 else {
            return errno == ENOMEM ? K_ENOMEM : errno == EACCES ? K_EPRIV : K_EINVAL
        }
        return K_OK
    }

    public func cacheReopen(_ cache: Int32) -> Int32 { knCode(guest_reopen_readonly(cache)) }
}
