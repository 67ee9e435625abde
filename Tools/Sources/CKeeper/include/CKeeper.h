/* CKeeper.h: the keeper process. It is made before the first thread, is the parent of the nucleus and the reaper of
 * everything that the nucleus leaves behind, and gives the terminal back whatever happens to the nucleus. */
#ifndef CHORUS_CKEEPER_H
#define CHORUS_CKEEPER_H

/* Forks. Returns in the child, which goes on to be the nucleus, with SIGTERM, SIGINT, SIGHUP and SIGWINCH blocked
 * for a thread of its own to wait for. The parent never returns: it exits with the child's status.
 * Where no process can be made, says so and exits with 71. */
void keeper_begin(void);

/* Puts the terminal on descriptor 0 into raw mode if this process is in its foreground; 1 if it did. The keeper
 * puts it back. */
int keeper_terminal_raw(void);

/* In the nucleus, once: the keeper removes this file when the nucleus was killed. */
void keeper_remove_at_end(const char *path);
#endif
