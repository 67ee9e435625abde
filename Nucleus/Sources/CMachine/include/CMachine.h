/* CMachine.h: what the Linux machine layer needs from C. */
#include "mailbox.h"
#include "guestCalls.h"
#include "hostCalls.h"
