/* The ELF note of libNucleus.so is in note.c; nothing to declare. */
