extension ProcessManager {
    /// mmap(2) on a descriptor: EBADF, ENODEV where it cannot be mapped, EACCES as its access mode says.
    func mappedFile(_ call: Call, _ descriptor: Int32) throws(Errno) -> any MappedFile { throw .ENODEV }
}
