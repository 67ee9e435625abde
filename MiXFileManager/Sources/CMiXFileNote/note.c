#include "chorus.h"
KN_NOTE(K_KIND_SERVER, "MiXFileManager", "1.0.0");
