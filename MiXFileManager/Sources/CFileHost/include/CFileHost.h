/* CFileHost.h: host calls of the File Manager that Swift's Glibc module does not offer. */
#ifndef MIX_FILE_HOST_H
#define MIX_FILE_HOST_H
#include <stdint.h>
#endif
