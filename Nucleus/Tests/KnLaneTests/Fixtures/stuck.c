/* A server whose handlers get stuck, for both privileges. Bodies begin with a command byte:
 *   'h' answers 'h' when the event has been posted, and not before; 'u' likewise, then waits in a semaphore;
 *   'b' waits in a semaphore for ever, and answers 'a' if that was aborted; 'e' answers 'e'
 *   'p' how many handlers are stuck, how many began, how many noticed an abort; 'q' the event, the port, its LI. */
#include "fixture.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct Stuck {
    const KnNucleus *n;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t stuck, began, aborts, released;
    KnCap event;
    KnSem never;
    KnUniqueId port;
    KnPortLid li;
} Stuck;

static void add(Stuck *s, uint32_t *counter, uint32_t amount) {
    pthread_mutex_lock(&s->lock);
    *counter += amount;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void untilReleased(Stuck *s) {
    pthread_mutex_lock(&s->lock);
    uint32_t before = s->released;
    s->stuck++;
    while (s->released == before) pthread_cond_wait(&s->changed, &s->lock);
    s->stuck--;
    pthread_mutex_unlock(&s->lock);
}

static int32_t waitInVain(Stuck *s) {
    int32_t r = s->n->semP(s->n->self, &s->never, K_NOTIMEOUT);
    if (r == K_EABORT) add(s, &s->aborts, 1);
    return r;
}

static int32_t message(void *cookie, const KnMsgHead *head, const void *annex, const void *body, uint32_t size,
                       void *replyAnnex, void *replyBody, uint32_t *replySize) {
    (void)head, (void)annex, (void)replyAnnex;
    Stuck *s = cookie;
    if (size == 0 || *replySize < 32) return K_EINVAL;
    char command = *(const char *)body;
    *replySize = 1;
    *(char *)replyBody = command;
    switch (command) {
    case 'e': return K_OK;
    case 'h':
        add(s, &s->began, 1);
        untilReleased(s);
        return K_OK;
    case 'u':
        add(s, &s->began, 1);
        untilReleased(s);
        return waitInVain(s);
    case 'b': {
        add(s, &s->began, 1);
        int32_t r = waitInVain(s);
        *(char *)replyBody = 'a';
        return r == K_EABORT ? K_OK : r;
    }
    case 'p': {
        pthread_mutex_lock(&s->lock);
        uint32_t values[3] = { s->stuck, s->began, s->aborts };
        pthread_mutex_unlock(&s->lock);
        memcpy(replyBody, values, sizeof values);
        *replySize = sizeof values;
        return K_OK;
    }
    case 'q':
        memcpy(replyBody, &s->event.ui, sizeof s->event.ui);
        memcpy((char *)replyBody + 8, &s->port, sizeof s->port);
        memcpy((char *)replyBody + 16, &s->li, sizeof s->li);
        *replySize = 20;
        return K_OK;
    }
    return K_ENOSYS;
}

static int32_t release(void *cookie, uint32_t bits) {
    (void)bits;
    Stuck *s = cookie;
    add(s, &s->released, 1);
    return K_OK;
}

int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    int32_t r;
    Stuck *s = calloc(1, sizeof *s);
    if (!s) return K_ENOMEM;
    s->n = n;
    pthread_mutex_init(&s->lock, 0);
    pthread_cond_init(&s->changed, 0);
    if ((r = n->semInit(n->self, &s->never, 0)) < 0) return r;
    if ((r = n->eventCreate(n->self, release, s, &s->event)) < 0) return r;
    if ((s->li = fixture_serve(n, args, message, s, &s->port)) < 0) return s->li;
    ops->instance = s;
    return K_OK;
}
