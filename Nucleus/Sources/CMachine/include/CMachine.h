/* CMachine.h: what the Linux machine layer needs from C. */
#include "mailbox.h"
#include "guestCalls.h"
#if __has_include("hostCalls.h")
#include "hostCalls.h"
#endif
