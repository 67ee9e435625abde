/* The ELF note of libMiXDeviceManager.so is in note.c; nothing to declare. */
