#include "chorus/knNote.h"
KN_NOTE(K_KIND_SERVER, "MiXProcessManager", "1.0.0");
