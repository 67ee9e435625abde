/* The ELF note of libMiXSocketManager.so is in note.c; nothing to declare. */
