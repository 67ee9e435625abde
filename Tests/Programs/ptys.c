/* ptys: pseudo-terminals (pty(7)), their ioctls (ioctl_tty(2)) and modes (termios(3)), packet mode, hang-up, sessions and
 * job control. What it expects is what Linux does. */
#include "ptys.h"
#include "ptys-pairs.h"
#include "ptys-modes.h"
#include "ptys-packets.h"
#include "ptys-sessions.h"
#include "ptys-jobs.h"

int main(void) {
    signal(SIGHUP, SIG_IGN);
    alarm(50);
    pairs();
    settings();
    canonical();
    noncanonical();
    queues();
    processing();
    packets();
    external();
    hangUps();
    windows();
    sessions();
    jobs();
    return finish();
}
