#include "CFileHost.h"
