#include "pipeline.h"
KN_NOTE(K_KIND_SERVER, "pipeline-filter", "1.0");
