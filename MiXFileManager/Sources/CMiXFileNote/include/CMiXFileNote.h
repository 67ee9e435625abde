/* The ELF note of the File Manager is in note.c; nothing to declare. */
