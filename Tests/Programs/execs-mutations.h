/* execs-mutations.h: the part of `execs` with thirty hostile ELF files. */

static Elf64_Ehdr *header(unsigned char *file) { return (Elf64_Ehdr *)file; }
static Elf64_Phdr *program(unsigned char *file) { return (Elf64_Phdr *)(file + header(file)->e_phoff); }

static Elf64_Phdr *load(unsigned char *file, int which) {
    for (int i = 0; i < header(file)->e_phnum; i++)
        if (program(file)[i].p_type == PT_LOAD && which-- == 0) return &program(file)[i];
    return program(file);
}

static void noMagic(unsigned char *f) { f[0] = 0; }
static void class32(unsigned char *f) { f[EI_CLASS] = ELFCLASS32; }
static void bigEndian(unsigned char *f) { header(f)->e_machine = EM_PPC64; }
static void noMachine(unsigned char *f) { header(f)->e_machine = 0xffff; }
static void arm(unsigned char *f) { header(f)->e_machine = EM_AARCH64; }
static void relocatable(unsigned char *f) { header(f)->e_type = ET_REL; }
static void core(unsigned char *f) { header(f)->e_type = ET_CORE; }
static void noEntry(unsigned char *f) { header(f)->e_entry = 0; }
static void entryAbove(unsigned char *f) { header(f)->e_entry = 0xffff800000000000ull; }
static void entryInData(unsigned char *f) { header(f)->e_entry = load(f, 0)->p_vaddr; }
static void noHeaders(unsigned char *f) { header(f)->e_phnum = 0; }
static void manyHeaders(unsigned char *f) { header(f)->e_phnum = 0xffff; }
static void oddHeaders(unsigned char *f) { header(f)->e_phentsize = 7; }
static void headersAway(unsigned char *f) { header(f)->e_phoff = 1ull << 40; }
static void headersNegative(unsigned char *f) { header(f)->e_phoff = ~0ull - 100; }
static void headersAtEnd(unsigned char *f) { header(f)->e_phoff = imageSize - 20; }
static void fileLarger(unsigned char *f) { load(f, 0)->p_filesz = load(f, 0)->p_memsz + 4096; }
static void sizeHuge(unsigned char *f) { load(f, 3)->p_memsz = 1ull << 62; }
static void sizeAll(unsigned char *f) { load(f, 0)->p_filesz = load(f, 0)->p_memsz = ~0ull; }
static void addressAbove(unsigned char *f) { load(f, 3)->p_vaddr = 0x800000000000ull; }
static void addressKernel(unsigned char *f) { load(f, 0)->p_vaddr = 0xffffffff80000000ull; }
static void addressWraps(unsigned char *f) { load(f, 3)->p_vaddr = ~0ull - 0xfff; }
static void addressOdd(unsigned char *f) { load(f, 1)->p_vaddr += 3; }
static void offsetAway(unsigned char *f) { load(f, 1)->p_offset = 1ull << 40; }
static void offsetNegative(unsigned char *f) { load(f, 1)->p_offset = ~0ull & ~0xfffull; }
static void atStub(unsigned char *f) { load(f, 0)->p_vaddr = 0x7fe000000000ull; }
static void zeroPage(unsigned char *f) { load(f, 0)->p_vaddr = 0; }
static void nothingLoads(unsigned char *f) {
    for (int i = 0; i < header(f)->e_phnum; i++) program(f)[i].p_type = PT_NULL;
}
static void interpreterEmpty(unsigned char *f) {
    program(f)[header(f)->e_phnum - 1] = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 0, .p_filesz = 0};
}
static void interpreterHuge(unsigned char *f) {
    program(f)[header(f)->e_phnum - 1] = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 0, .p_filesz = 1 << 30};
}
static void interpreterUnended(unsigned char *f) {
    f[7] = 3; /* the path's last byte: anything but its end */
    program(f)[header(f)->e_phnum - 1] = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 0, .p_filesz = 8};
}
static void interpreterLost(unsigned char *f) {
    memcpy(f + 8, "/none\0", 6);
    program(f)[header(f)->e_phnum - 1] = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 8, .p_filesz = 6};
}
static void onlyData(unsigned char *f) {
    for (int i = 0; i < header(f)->e_phnum; i++) program(f)[i].p_flags &= ~PF_X;
}
static void noRights(unsigned char *f) {
    for (int i = 0; i < header(f)->e_phnum; i++) program(f)[i].p_flags = 0;
}

static void mutations(void) {
    static const struct {
        const char *what;
        void (*body)(unsigned char *);
        int late;
    } all[] = {
        {"without magic", noMagic, 0}, {"for PowerPC", bigEndian, 0}, {"for no machine", noMachine, 0},
        {"for ARM", arm, 0}, {"relocatable", relocatable, 0}, {"core", core, 0}, {"entry 0", noEntry, 1}, {"entry in the kernel", entryAbove, 1},
        {"entry in data", entryInData, 1}, {"no program headers", noHeaders, 0}, {"65535 program headers", manyHeaders, 0},
        {"odd header size", oddHeaders, 0}, {"headers far away", headersAway, 0}, {"headers at a negative place", headersNegative, 0},
        {"headers over the end", headersAtEnd, 0}, {"file part larger than memory", fileLarger, 1}, {"segment of 4 EiB", sizeHuge, 1},
        {"segment of everything", sizeAll, 1}, {"segment above user space", addressAbove, 1}, {"segment in the kernel", addressKernel, 1},
        {"segment wraps", addressWraps, 1}, {"segment at an odd address", addressOdd, 1}, {"segment far behind the file", offsetAway, 1},
        {"segment at a negative offset", offsetNegative, 1},
        {"nothing to load", nothingLoads, 1}, {"empty interpreter", interpreterEmpty, 0}, {"huge interpreter", interpreterHuge, 0},
        {"unended interpreter", interpreterUnended, 0}, {"lost interpreter", interpreterLost, 0}, {"nothing executable", onlyData, 1},
        {"no rights at all", noRights, 1},
    };
    static const size_t cuts[] = {1, 4, 16, 63, 64, 100, 300};
    char what[64];
    for (unsigned i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        snprintf(what, sizeof what, "cut to %zu bytes", cuts[i]);
        change("hostile-elf", 0, cuts[i], 0, what);
    }
    change("hostile-elf", 0, 5000, 1, "cut to 5000 bytes");
    change("hostile-elf", 0, imageSize / 2, 1, "cut to a half");
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) change("hostile-elf", all[i].body, imageSize, all[i].late, all[i].what);
    /* At the stub's place, at page zero and in a byte that Linux ignores systems differ: it may run or be refused, but nobody else may notice. */
    void (*const places[])(unsigned char *) = {atStub, zeroPage, class32};
    for (int i = 0; i < 3; i++) {
        unsigned char *copy = malloc(imageSize);
        memcpy(copy, image, imageSize);
        places[i](copy);
        writeFile("hostile-elf", copy, imageSize, 0755);
        free(copy);
        CHECK(i == 0 ? "elf at the stub: survived" : i == 1 ? "elf at page zero: survived" : "elf of class 32: survived",
              tryExec("./hostile-elf", (char *[]){"x", "count", 0}) != 1000 + SIGALRM);
    }
    unlink("hostile-elf");
}
