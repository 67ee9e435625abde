/* knNote.h: the ELF note that says what an object is; the loader reads it before dlopen.
 * Owner "CHORUS", type K_NOTE_TYPE, descriptor KnNoteDesc. Use KN_NOTE once per object, at file scope of a C file. */
#ifndef CHORUS_KNNOTE_H
#define CHORUS_KNNOTE_H
#include <stdint.h>
#define K_ABI_MAJOR 1u
#define K_ABI_MINOR 1u
#define K_NOTE_TYPE 0x43484f52u
#define K_KIND_NUCLEUS 1u
#define K_KIND_SERVER 2u
#define K_KIND_DRIVER 3u
typedef struct KnNoteDesc {
    uint32_t kind;
    uint16_t abiMajor, abiMinor;
    char name[32];
    char version[24];
} KnNoteDesc;
typedef struct KnNote { uint32_t namesz, descsz, type; char owner[8]; KnNoteDesc desc; } KnNote;
#define KN_NOTE(kind_, name_, version_) \
    __attribute__((section(".note.chorus"), used, aligned(4), visibility("hidden"))) \
    const KnNote kn_object_note = { 7, sizeof(KnNoteDesc), K_NOTE_TYPE, "CHORUS", \
        { kind_, K_ABI_MAJOR, K_ABI_MINOR, name_, version_ } }
#endif
