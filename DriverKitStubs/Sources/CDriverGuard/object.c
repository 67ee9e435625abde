/* object.c: a driver's object in memory. */
#define _GNU_SOURCE
#include "CDriverGuard.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Text { uintptr_t entry, start, end; } Text;

static int findText(struct dl_phdr_info *info, size_t size, void *found) {
    Text *text = found;
    (void)size;
    uintptr_t low = UINTPTR_MAX, high = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + p->p_vaddr, end = start + p->p_memsz;
        if (p->p_type != PT_LOAD) continue;
        if (start < low) low = start;
        if (end > high) high = end;
    }
    if (text->entry < low || text->entry >= high) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X)) continue;
        text->start = info->dlpi_addr + p->p_vaddr;
        text->end = text->start + p->p_memsz;
    }
    return 1;
}

void *drv_open(const char *path, const DrvDriver **driver, uint32_t *flags, uintptr_t *textStart, uintptr_t *textEnd, char *why,
               size_t whySize) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        snprintf(why, whySize, "%s", dlerror());
        return NULL;
    }
    const DrvDriver *found = dlsym(handle, DRV_ENTRY);
    Text text = { (uintptr_t)found, 0, 0 };
    if (!found) {
        snprintf(why, whySize, "%s: exports no %s", path, DRV_ENTRY);
        dlclose(handle);
        return NULL;
    }
    dl_iterate_phdr(findText, &text);
    const uint32_t *said = dlsym(handle, DRV_FLAGS);
    *driver = found;
    *flags = said ? *said : 0;
    *textStart = text.start;
    *textEnd = text.end;
    return handle;
}

int32_t drv_close(void *handle, uintptr_t text) {
    Dl_info info;
    dlclose(handle);
    return text != 0 && dladdr((void *)text, &info) != 0;
}

const char *drv_own_path(void) {
    Dl_info info;
    return dladdr((void *)drv_own_path, &info) != 0 ? info.dli_fname : NULL;
}

/* A function of the object's own, from the symbol table of its file, if it was not stripped. The file may have changed since. */
static void localSymbol(const char *path, uintptr_t offset, char *name, size_t size, unsigned long *within) {
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    const char *base = fstat(fd, &status) == 0 && status.st_size > (off_t)sizeof(ElfW(Ehdr))
        ? mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (base == MAP_FAILED) return;
    size_t length = (size_t)status.st_size;
    const ElfW(Ehdr) *head = (const void *)base;
#define INSIDE(offset_, bytes_) ((offset_) <= length && (bytes_) <= length - (offset_))
    for (unsigned i = 0; i < head->e_shnum && INSIDE(head->e_shoff + i * sizeof(ElfW(Shdr)), sizeof(ElfW(Shdr))); i++) {
        const ElfW(Shdr) *sections = (const void *)(base + head->e_shoff), *symbols = &sections[i];
        if (symbols->sh_type != SHT_SYMTAB || symbols->sh_link >= head->e_shnum || !INSIDE(symbols->sh_offset, symbols->sh_size)
            || !INSIDE(head->e_shoff + symbols->sh_link * sizeof(ElfW(Shdr)), sizeof(ElfW(Shdr)))) continue;
        const ElfW(Shdr) *strings = &sections[symbols->sh_link];
        if (!INSIDE(strings->sh_offset, strings->sh_size) || strings->sh_size == 0) continue;
        const ElfW(Sym) *table = (const void *)(base + symbols->sh_offset);
        for (size_t s = 0; s < symbols->sh_size / sizeof *table; s++) {
            if (ELF64_ST_TYPE(table[s].st_info) != STT_FUNC || offset < table[s].st_value
                || offset >= table[s].st_value + table[s].st_size || table[s].st_name >= strings->sh_size) continue;
            const char *found = base + strings->sh_offset + table[s].st_name;
            snprintf(name, size, "%.*s", (int)strnlen(found, strings->sh_size - table[s].st_name), found);
            *within = offset - table[s].st_value;
        }
    }
#undef INSIDE
    munmap((void *)base, length);
}

void drv_symbol(uintptr_t pc, char *text, size_t size) {
    Dl_info info;
    if (!dladdr((void *)pc, &info) || !info.dli_fname) {
        snprintf(text, size, "0x%lx", (unsigned long)pc);
        return;
    }
    const char *file = strrchr(info.dli_fname, '/');
    file = file ? file + 1 : info.dli_fname;
    unsigned long offset = pc - (uintptr_t)info.dli_fbase;
    char name[64] = "";
    unsigned long within = 0;
    if (info.dli_sname) {
        snprintf(name, sizeof name, "%s", info.dli_sname);
        within = pc - (uintptr_t)info.dli_saddr;
    } else {
        localSymbol(info.dli_fname, offset, name, sizeof name, &within);
    }
    if (name[0]) snprintf(text, size, "%s+0x%lx (%s+0x%lx)", file, offset, name, within);
    else snprintf(text, size, "%s+0x%lx", file, offset);
}
