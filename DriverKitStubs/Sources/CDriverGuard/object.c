/* object.c: a driver's object in memory. */
#define _GNU_SOURCE
#include "CDriverGuard.h"
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void *drv_open(const char *path, const DrvDriver **driver, uintptr_t *textStart, uintptr_t *textEnd, char *why, size_t whySize) {
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
    *driver = found;
    *textStart = text.start;
    *textEnd = text.end;
    return handle;
}

int32_t drv_close(void *handle, uintptr_t text) {
    Dl_info info;
    dlclose(handle);
    return text != 0 && dladdr((void *)text, &info) != 0;
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
    if (info.dli_sname) {
        snprintf(text, size, "%s+0x%lx (%s+0x%lx)", file, offset, info.dli_sname, (unsigned long)(pc - (uintptr_t)info.dli_saddr));
    } else {
        snprintf(text, size, "%s+0x%lx", file, offset);
    }
}
