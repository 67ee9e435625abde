/// What keeps an object from being unloaded, or a loader from trusting it (elf(5), dlopen(3)).
enum DriverCheck {
    static func check(_ image: ElfImage, _ segments: [ElfHeader.Segment]) throws(ObjectError) {
        guard let dynamic = segments.first(where: { $0.type == 2 }) else { return }
        var at = dynamic.offset
        while at + 16 <= dynamic.offset + dynamic.size {
            let tag = try image.read(UInt64.self, at: at, of: "the dynamic section")
            let value = try image.read(UInt64.self, at: at + 8, of: "the dynamic section")
            switch (tag, value) {
            case (0, _): return
            case (22, _): throw image.error("has relocations in its code", "code built with -fPIC")
            case (30, _) where value & 4 != 0: throw image.error("has relocations in its code", "code built with -fPIC")
            case (30, _) where value & 16 != 0:
                throw image.error("uses static thread-local storage", "a driver without it")
            case (0x6fff_fffb, _) where value & 8 != 0:
                throw image.error("is marked NODELETE", "a driver that can be unloaded, without -z nodelete")
            // The compiler's own start files have one entry each.
            case (27, 9...), (28, 9...), (33, 1...):  // DT_INIT_ARRAYSZ, DT_FINI_ARRAYSZ, DT_PREINIT_ARRAYSZ
                throw image.error("has constructors or destructors", "a driver of which nothing runs before its entry")
            default: break
            }
            at += 16
        }
    }
}
