#include "chorus.h"
KN_NOTE(K_KIND_NUCLEUS, "Nucleus", "1.0.0");
