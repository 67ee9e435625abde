/* differ-ipc.h: System V objects, none of which waits, and schedules. Numbers of objects are each system's own: they are
 * told by the order in which they were made. */
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/resource.h>

#define OBJECTS 3
static int semaphoreSets[OBJECTS], messageQueues[OBJECTS], segments[OBJECTS];
static char *attached[OBJECTS];

static long made(int *place, long id) {
    if (id < 0) return id;
    *place = (int)id + 1;
    return 0;
}
static int numberOf(const int *place) { return *place ? *place - 1 : -1; }

static void semaphoreStep(void) {
    int *set = &semaphoreSets[pick(OBJECTS)];
    if (!*set) {
        long count = ONE_OF(1, 2, 4, 0, -1, 32001);
        note("semget %ld: %ld", count, made(set, CALL(SYS_semget, IPC_PRIVATE, count, ONE_OF(0600, 0400, 0))));
        return;
    }
    int id = numberOf(set);
    long number = ONE_OF(0, 0, 1, 3, 4, -1);
    unsigned short values[4] = {0};
    switch (pick(9)) {
    case 0: case 1: case 2: {
        struct sembuf operations[3];
        unsigned count = 1 + pick(3);
        for (unsigned i = 0; i < count; i++) {
            operations[i].sem_num = (unsigned short)pick(5);
            operations[i].sem_op = (short)ONE_OF(1, -1, 2, -3, 0, 32767, -32767);
            operations[i].sem_flg = (short)(IPC_NOWAIT | (pick(4) ? 0 : SEM_UNDO));
        }
        note("semop %u: %ld", count, CALL(SYS_semop, id, operations, count));
        break;
    }
    case 3: note("SETVAL %ld: %ld", number, CALL(SYS_semctl, id, number, SETVAL, ONE_OF(0, 1, 7, 32767, 32768, -1))); break;
    case 4: note("GETVAL %ld: %ld", number, CALL(SYS_semctl, id, number, GETVAL, 0)); break;
    case 5: note("counts: %ld %ld", CALL(SYS_semctl, id, number, GETNCNT, 0), CALL(SYS_semctl, id, number, GETZCNT, 0)); break;
    case 6: {
        long r = CALL(SYS_semctl, id, 0, GETALL, values);
        note("GETALL: %ld %u", r, sum(values, sizeof values));
        break;
    }
    case 7:
        for (int i = 0; i < 4; i++) values[i] = (unsigned short)ONE_OF(0, 1, 5, 32767, 32768);
        note("SETALL: %ld", CALL(SYS_semctl, id, 0, SETALL, values));
        break;
    case 8:
        if (pick(3)) break;
        note("remove: %ld", CALL(SYS_semctl, id, 0, IPC_RMID, 0));
        *set = 0;
    }
}

static void messageStep(void) {
    static struct { long type; char text[9000]; } message;
    int *queue = &messageQueues[pick(OBJECTS)];
    if (!*queue) {
        note("msgget: %ld", made(queue, CALL(SYS_msgget, IPC_PRIVATE, ONE_OF(0600, 0200, 0400))));
        return;
    }
    int id = numberOf(queue);
    size_t size = (size_t)ONE_OF(0, 1, 100, 8192, 8193);
    switch (pick(5)) {
    case 0: case 1:
        message.type = ONE_OF(1, 2, 3, 0, -1, 1000000);
        memcpy(message.text, bytes(size), size);
        note("msgsnd %ld %zu: %ld", message.type, size, CALL(SYS_msgsnd, id, &message, size, IPC_NOWAIT));
        break;
    case 2: case 3: {
        long type = ONE_OF(0, 1, 2, -2, -5, 7), flags = ONE_OF(0, 0, MSG_NOERROR, MSG_EXCEPT);
        memset(&message, 0, sizeof message);
        long r = CALL(SYS_msgrcv, id, &message, size, type, IPC_NOWAIT | flags);
        note("msgrcv %ld %zu %lx: %ld %ld %u", type, size, flags, r, message.type, sum(message.text, r > 0 ? (size_t)r : 0));
        break;
    }
    case 4: {
        struct msqid_ds state;
        long r = CALL(SYS_msgctl, id, IPC_STAT, &state);
        note("queue: %ld %lu", r, r == 0 ? (unsigned long)state.msg_qnum : 0);
        if (pick(3)) break;
        note("remove: %ld", CALL(SYS_msgctl, id, IPC_RMID, NULL));
        *queue = 0;
    }
    }
}

static void segmentStep(void) {
    unsigned which = pick(OBJECTS);
    int *segment = &segments[which];
    if (!*segment) {
        long size = ONE_OF(1, 4096, 10000, 0, -1);
        note("shmget %ld: %ld", size, made(segment, CALL(SYS_shmget, IPC_PRIVATE, size, ONE_OF(0600, 0400))));
        return;
    }
    int id = numberOf(segment);
    char *place = FIELD + (100 + which * 8) * 4096;
    switch (pick(6)) {
    case 0: case 1: {
        long r = CALL(SYS_shmat, id, place + ONE_OF(0, 0, 1), ONE_OF(0, SHM_RDONLY, SHM_RND, SHM_REMAP, 0));
        if (r == (long)place) attached[which] = place;
        note("shmat: %lx", r == (long)place ? 0 : r);
        break;
    }
    case 2: note("touch shared: %d", touch(place + ONE_OF(0, 4095, 9999), (int)pick(2), (unsigned char)pick(256))); break;
    case 3: note("shmdt: %ld", CALL(SYS_shmdt, place + ONE_OF(0, 0, 1, 4096))); break;
    case 4: {
        struct shmid_ds state;
        long r = CALL(SYS_shmctl, id, IPC_STAT, &state);
        note("segment: %ld %lu %lu", r, r == 0 ? (unsigned long)state.shm_segsz : 0, r == 0 ? (unsigned long)state.shm_nattch : 0);
        break;
    }
    case 5:
        if (pick(3)) break;
        note("remove: %ld", CALL(SYS_shmctl, id, IPC_RMID, NULL));
        *segment = 0;
    }
}

static void scheduleStep(void) {
    long mask[16] = {0}, policy = ONE_OF(SCHED_OTHER, SCHED_BATCH, SCHED_BATCH, 4, 77, -1);
    struct sched_param parameter = {.sched_priority = (int)ONE_OF(0, 0, 5)};
    switch (pick(6)) {
    case 0: note("policy %ld: %ld", policy, CALL(SYS_sched_setscheduler, 0, policy, &parameter)); break;
    case 1: note("policy: %ld", CALL(SYS_sched_getscheduler, ONE_OF(0, 0, 4194304, -1))); break;
    case 2: mask[0] = ONE_OF(1, 1, 0); note("processors: %ld", CALL(SYS_sched_setaffinity, 0, 8, mask)); break;
    case 3: note("processors: %ld", CALL(SYS_sched_setaffinity, ONE_OF(4194304, -1), 8, mask)); break;
    case 4: note("disk: %ld", CALL(SYS_ioprio_set, ONE_OF(1, 1, 9), 0, ONE_OF(2 << 13 | 3, 3 << 13, 0, 5 << 13, 1))); break;
    case 5: note("disk: %ld", CALL(SYS_ioprio_get, 1, ONE_OF(0, 0, 4194304))); break;
    }
}

void ipcStep(void) {
    void (*const fields[])(void) = {semaphoreStep, semaphoreStep, messageStep, segmentStep, scheduleStep};
    fields[pick(5)]();
}

/* What a sequence leaves behind would stay. */
void ipcEnd(void) {
    for (int i = 0; i < OBJECTS; i++) {
        if (semaphoreSets[i]) semctl(numberOf(&semaphoreSets[i]), 0, IPC_RMID);
        if (messageQueues[i]) msgctl(numberOf(&messageQueues[i]), IPC_RMID, NULL);
        if (segments[i]) shmctl(numberOf(&segments[i]), IPC_RMID, NULL);
    }
}
