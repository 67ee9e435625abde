/* The ELF note of libDriverKitStubs.so is in note.c; nothing to declare. */
