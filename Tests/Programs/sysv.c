/* sysv: System V shared memory, semaphores and message queues (sysvipc(7)). */
#include "check.h"
#include <limits.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

union value { int val; struct semid_ds *buf; unsigned short *array; };

static const size_t page = 4096;
static key_t key;

static struct shmid_ds stateOf(int id) {
    struct shmid_ds state = {0};
    shmctl(id, IPC_STAT, &state);
    return state;
}

static void segments(void) {
    ERROR("shmget of an unknown key", shmget(key, page, 0), ENOENT);
    ERROR("shmget of no size", shmget(IPC_PRIVATE, 0, 0600), EINVAL);
    int id = shmget(key, 2 * page + 10, IPC_CREAT | IPC_EXCL | 0640);
    CHECK("shmget makes one", id >= 0);
    CHECK("shmget finds it", shmget(key, page, 0600) == id && shmget(key, 0, 0) == id);
    ERROR("shmget with IPC_EXCL", shmget(key, page, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    ERROR("shmget of more than there is", shmget(key, 3 * page, 0600), EINVAL);
    struct shmid_ds state = stateOf(id);
    CHECK("IPC_STAT", state.shm_segsz == 2 * page + 10 && state.shm_perm.mode == 0640 && state.shm_nattch == 0 &&
          state.shm_perm.uid == geteuid() && state.shm_perm.cgid == getegid() && state.shm_cpid == getpid() && state.shm_lpid == 0 &&
          state.shm_atime == 0 && state.shm_ctime > 1500000000);
    ERROR("shmat at an odd address", (long)shmat(id, (void *)0x500000001, 0), EINVAL);
    ERROR("shmat of an unknown one", (long)shmat(INT_MAX, 0, 0), EINVAL);
    ERROR("SHM_REMAP needs an address", (long)shmat(id, 0, SHM_REMAP), EINVAL);
    char *one = shmat(id, 0, 0);
    char *two = shmat(id, 0, SHM_RDONLY);
    CHECK("shmat twice", one != (void *)-1 && two != (void *)-1 && one != two && one[0] == 0 && one[3 * page - 1] == 0);
    strcpy(one + page, "shared");
    CHECK("both show the same", strcmp(two + page, "shared") == 0);
    ERROR("a read-only one stays so", mprotect(two, page, PROT_READ | PROT_WRITE), EACCES);
    ERROR("shmat over something", (long)shmat(id, one + page, 0), EINVAL);
    char *wanted = mmap(0, 8 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK("shmat over something with SHM_REMAP", shmat(id, wanted + page + 5, SHM_REMAP | SHM_RND) == wanted + page &&
          strcmp(wanted + 2 * page, "shared") == 0);
    CHECK("each is counted", stateOf(id).shm_nattch == 3 && stateOf(id).shm_lpid == getpid());
    CHECK("shmdt", shmdt(wanted + page) == 0 && stateOf(id).shm_nattch == 2 && stateOf(id).shm_dtime > 1500000000);
    ERROR("shmdt of nothing", shmdt(wanted + page), EINVAL);
    ERROR("shmdt inside", shmdt(one + page), EINVAL);
    mprotect(one + page, page, PROT_READ);
    CHECK("parts are counted by themselves", stateOf(id).shm_nattch == 4);
    pid_t pid = fork();
    if (pid == 0) {
        if (stateOf(id).shm_nattch != 8 || strcmp(one + page, "shared") != 0) _exit(1);
        strcpy(one, "from the child");
        _exit(shmdt(one) == 0 && stateOf(id).shm_nattch == 5 ? 0 : 2);
    }
    CHECK("fork inherits", endOf(pid) == 0 && strcmp(two, "from the child") == 0 && stateOf(id).shm_nattch == 4);
    CHECK("the end detaches", stateOf(id).shm_lpid == pid);
    CHECK("IPC_RMID while attached", shmctl(id, IPC_RMID, 0) == 0 && strcmp(two, "from the child") == 0);
    state = stateOf(id);
    CHECK("it is doomed but there", (state.shm_perm.mode & 01000) != 0 && state.shm_nattch == 4);
    ERROR("its key is free", shmget(key, page, 0), ENOENT);
    char *three = shmat(id, 0, 0);
    CHECK("and it can still be attached", three != (void *)-1 && strcmp(three, "from the child") == 0);
    CHECK("shmdt of all", shmdt(one) == 0 && shmdt(two) == 0 && shmdt(three) == 0);
    ERROR("then it is gone", (long)shmat(id, 0, 0), EINVAL);
    id = shmget(IPC_PRIVATE, page, 0600);
    state = stateOf(id);
    state.shm_perm.mode = 0444;
    state.shm_perm.uid = 1234;
    CHECK("IPC_SET", shmctl(id, IPC_SET, &state) == 0 && stateOf(id).shm_perm.mode == 0444 && stateOf(id).shm_perm.uid == 1234 &&
          stateOf(id).shm_perm.cuid == geteuid());
    pid = fork();
    if (pid == 0) {
        setresgid(99, 99, 99);
        setresuid(99, 99, 99);
        if (shmat(id, 0, 0) != (void *)-1 || errno != EACCES) _exit(1);
        if (shmat(id, 0, SHM_RDONLY) == (void *)-1) _exit(2);
        if (shmctl(id, IPC_RMID, 0) == 0 || errno != EPERM) _exit(3);
        _exit(stateOf(id).shm_segsz == page ? 0 : 4);
    }
    CHECK("permissions hold", endOf(pid) == 0);
    CHECK("SHM_LOCK", shmctl(id, SHM_LOCK, 0) == 0 && (stateOf(id).shm_perm.mode & 02000) != 0 && shmctl(id, SHM_UNLOCK, 0) == 0);
    CHECK("IPC_RMID", shmctl(id, IPC_RMID, 0) == 0);
    ERROR("twice", shmctl(id, IPC_RMID, 0), EINVAL);
    struct shminfo limits;
    CHECK("IPC_INFO", shmctl(0, IPC_INFO, (void *)&limits) >= 0 && limits.shmmin == 1 && limits.shmmni == 4096);
}

static int value(int id, int number) { return semctl(id, number, GETVAL); }

static int operate(int id, int number, int change, int flags) {
    struct sembuf operation = {number, change, flags};
    return semop(id, &operation, 1);
}

/* A child that does one operation and ends with errno. */
static pid_t operating(int id, int number, int change) {
    pid_t pid = fork();
    if (pid == 0) _exit(operate(id, number, change, 0) == 0 ? 0 : errno);
    untilBlocked(pid);
    return pid;
}

static void semaphores(void) {
    ERROR("semget of none", semget(IPC_PRIVATE, 0, 0600), EINVAL);
    ERROR("semget of too many", semget(IPC_PRIVATE, 32001, 0600), EINVAL);
    int id = semget(key, 3, IPC_CREAT | 0600);
    CHECK("semget", id >= 0 && semget(key, 0, 0) == id && semget(key, 3, 0600) == id);
    ERROR("semget of more than there are", semget(key, 4, 0), EINVAL);
    union value given = {.array = (unsigned short[]){1, 2, 3}};
    CHECK("SETALL", semctl(id, 0, SETALL, given) == 0 && value(id, 0) == 1 && value(id, 2) == 3);
    given.val = 7;
    CHECK("SETVAL", semctl(id, 1, SETVAL, given) == 0 && value(id, 1) == 7 && semctl(id, 1, GETPID) == getpid());
    given.val = 32768;
    ERROR("SETVAL beyond the bound", semctl(id, 1, SETVAL, given), ERANGE);
    ERROR("GETVAL of an unknown one", semctl(id, 3, GETVAL), EINVAL);
    struct semid_ds state;
    given.buf = &state;
    CHECK("IPC_STAT", semctl(id, 0, IPC_STAT, given) == 0 && state.sem_nsems == 3 && state.sem_otime == 0 && state.sem_perm.mode == 0600);
    struct sembuf both[2] = {{0, -1, 0}, {2, -4, IPC_NOWAIT}};
    ERROR("all or nothing", semop(id, both, 2), EAGAIN);
    CHECK("nothing it was", value(id, 0) == 1 && value(id, 2) == 3);
    both[1].sem_op = -3;
    CHECK("all", semop(id, both, 2) == 0 && value(id, 0) == 0 && value(id, 2) == 0);
    given.buf = &state;
    CHECK("the time of it", semctl(id, 0, IPC_STAT, given) == 0 && state.sem_otime > 1500000000);
    ERROR("beyond the bound", operate(id, 1, 32767, 0), ERANGE);
    ERROR("an unknown one", operate(id, 3, 1, 0), EFBIG);
    ERROR("no operations", semop(id, both, 0), EINVAL);
    ERROR("too many operations", semop(id, both, 501), E2BIG);
    CHECK("zero is not waited for", operate(id, 0, 0, 0) == 0);
    struct timespec shortly = {0, 20000000};
    struct sembuf down = {0, -1, 0};
    ERROR("semtimedop", syscall(SYS_semtimedop, id, &down, 1, &shortly), EAGAIN);
    pid_t pid = operating(id, 0, -2);
    CHECK("GETNCNT", semctl(id, 0, GETNCNT) == 1 && semctl(id, 0, GETZCNT) == 0 && semctl(id, 1, GETNCNT) == 0);
    operate(id, 0, 1, 0);
    CHECK("not enough", value(id, 0) == 1 && semctl(id, 0, GETNCNT) == 1);
    operate(id, 0, 1, 0);
    CHECK("enough", endOf(pid) == 0 && value(id, 0) == 0 && semctl(id, 0, GETNCNT) == 0 && semctl(id, 0, GETPID) == pid);
    pid = operating(id, 1, 0);
    CHECK("GETZCNT", semctl(id, 1, GETZCNT) == 1);
    given.val = 0;
    CHECK("SETVAL wakes", semctl(id, 1, SETVAL, given) == 0 && endOf(pid) == 0);
    pid = fork();
    if (pid == 0) {
        operate(id, 0, 5, SEM_UNDO);
        operate(id, 1, 3, 0);
        operate(id, 1, -1, SEM_UNDO);
        _exit(value(id, 0) == 5 && value(id, 1) == 2 ? 0 : 1);
    }
    CHECK("SEM_UNDO", endOf(pid) == 0 && value(id, 0) == 0 && value(id, 1) == 3);
    pid = operating(id, 0, -1);
    kill(pid, SIGUSR1);
    CHECK("a signal ends it", endOf(pid) == 1000 + SIGUSR1 && semctl(id, 0, GETNCNT) == 0);
    pid = operating(id, 0, -1);
    CHECK("IPC_RMID", semctl(id, 0, IPC_RMID) == 0 && endOf(pid) == EIDRM);
    ERROR("it is gone", operate(id, 0, 1, 0), EINVAL);
    struct seminfo limits;
    CHECK("IPC_INFO", semctl(0, 0, IPC_INFO, &limits) >= 0 && limits.semvmx == 32767 && limits.semmsl == 32000 && limits.semopm == 500);
}

static struct { long type; char text[9000]; } message;

static int sending(int id, long type, const char *text, int flags) {
    message.type = type;
    strcpy(message.text, text);
    return msgsnd(id, &message, strlen(text) + 1, flags);
}

/* Receives at once; whether it was that type with that text. */
static int got(int id, long wanted, int flags, long type, const char *text) {
    memset(&message, 0, 100);
    ssize_t size = msgrcv(id, &message, 100, wanted, flags | IPC_NOWAIT);
    return size == (ssize_t)strlen(text) + 1 && message.type == type && strcmp(message.text, text) == 0;
}

static void messages(void) {
    int id = msgget(key, IPC_CREAT | IPC_EXCL | 0600);
    CHECK("msgget", id >= 0 && msgget(key, 0600) == id);
    ERROR("a type below 1", sending(id, 0, "x", 0), EINVAL);
    ERROR("too long a message", msgsnd(id, &message, 8193, 0), EINVAL);
    sending(id, 3, "three", 0);
    sending(id, 1, "one", 0);
    sending(id, 2, "two", 0);
    sending(id, 1, "one again", 0);
    struct msqid_ds state;
    CHECK("IPC_STAT", msgctl(id, IPC_STAT, &state) == 0 && state.msg_qnum == 4 && state.msg_lspid == getpid() && state.msg_lrpid == 0 &&
          state.msg_qbytes == 16384 && state.msg_stime > 1500000000 && state.msg_rtime == 0);
    CHECK("of a type", got(id, 2, 0, 2, "two"));
    CHECK("of the lowest type up to one", got(id, -3, 0, 1, "one"));
    CHECK("of any but a type", got(id, 3, MSG_EXCEPT, 1, "one again"));
    ERROR("none of that type", msgrcv(id, &message, 100, 7, IPC_NOWAIT), ENOMSG);
    ERROR("too long for the buffer", msgrcv(id, &message, 3, 0, 0), E2BIG);
    CHECK("cut for the buffer", msgrcv(id, &message, 3, 0, MSG_NOERROR) == 3 && memcmp(message.text, "thr", 3) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        ssize_t size = msgrcv(id, &message, 100, 5, 0);
        _exit(size == 5 && strcmp(message.text, "five") == 0 ? 0 : 1);
    }
    untilBlocked(pid);
    sending(id, 4, "four", 0);
    sending(id, 5, "five", 0);
    CHECK("a receiver waits for its type", endOf(pid) == 0 && got(id, 0, 0, 4, "four"));
    memset(message.text, 1, 8192);
    message.type = 1;
    CHECK("full", msgsnd(id, &message, 8192, IPC_NOWAIT) == 0 && msgsnd(id, &message, 8192, IPC_NOWAIT) == 0);
    ERROR("no more fits", sending(id, 1, "x", IPC_NOWAIT), EAGAIN);
    pid = fork();
    if (pid == 0) _exit(sending(id, 9, "later", 0) == 0 ? 0 : errno);
    untilBlocked(pid);
    msgrcv(id, &message, 8192, 0, 0);
    CHECK("a sender waits for room", endOf(pid) == 0 && got(id, 9, 0, 9, "later"));
    msgctl(id, IPC_STAT, &state);
    state.msg_qbytes = 100;
    state.msg_perm.mode = 0400;
    CHECK("IPC_SET", msgctl(id, IPC_SET, &state) == 0 && msgctl(id, IPC_STAT, &state) == 0 && state.msg_qbytes == 100 &&
          state.msg_perm.mode == 0400 && state.msg_cbytes == 8192);
    pid = fork();
    if (pid == 0) {
        ssize_t size = msgrcv(id, &message, 100, 77, 0);
        _exit(size == -1 ? errno : 0);
    }
    untilBlocked(pid);
    CHECK("IPC_RMID", msgctl(id, IPC_RMID, 0) == 0 && endOf(pid) == EIDRM);
    ERROR("it is gone", msgctl(id, IPC_STAT, &state), EINVAL);
}

/* The line of one object in /proc/sysvipc, without what each system chooses. */
static void listed(const char *kind, int id, const char *format) {
    static char text[1 << 20];
    char path[64];
    snprintf(path, sizeof path, "/proc/sysvipc/%s", kind);
    int fd = open(path, O_RDONLY), many = 0;
    ssize_t size = 0, got;
    while ((got = read(fd, text + size, sizeof text - 1 - size)) > 0) size += got;
    close(fd);
    text[size > 0 ? size : 0] = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (many++ == 0) say("%s", line);
        unsigned long field[16] = {0};
        int count = 0;
        char *at = line;
        for (char *end; count < 16 && (field[count] = strtoul(at, &end, count == 2 ? 8 : 10), end != at); at = end) count++;
        if (count < 10 || field[1] != (unsigned long)id) continue;
        char out[200] = "";
        /* k: the key, p: this process, n: a number, t: a time, -: anything */
        for (int i = 0; format[i]; i++) {
            unsigned long now = field[i];
            int good = format[i] == 'k' ? (int)now == key : format[i] == 'p' ? (int)now == getpid() : format[i] == 't' ? now == 0 || now > 1000000000 : 1;
            if (format[i] == 'n') snprintf(out + strlen(out), 24, " %lu", now);
            else if (format[i] != '-') strcat(out, good ? format[i] == 't' && now == 0 ? " 0" : " ok" : " wrong");
        }
        say("%s%s, %d wide", kind, out, (int)strlen(line));
    }
}
/* What is made, sent and attached is told by whom. */
static void lists(void) {
    int segment = shmget(key, 5000, IPC_CREAT | 0640), set = semget(key, 3, IPC_CREAT | 0604), queue = msgget(key, IPC_CREAT | 0600);
    listed("shm", segment, "k-nnpnnnnnnttt--");
    char *memory = shmat(segment, NULL, 0);
    *memory = 1;
    listed("shm", segment, "k-nnppnnnnnttt--");
    shmctl(segment, IPC_RMID, NULL);
    listed("shm", segment, "n-nnppnnnnnttt--");
    shmdt(memory);
    listed("shm", segment, "n-");
    semop(set, &(struct sembuf){0, 1, 0}, 1);
    listed("sem", set, "k-nnnnnntt");
    struct { long type; char text[10]; } message = {1, "hello"};
    msgsnd(queue, &message, 5, 0);
    msgsnd(queue, &message, 3, 0);
    msgrcv(queue, &message, 10, 0, 0);
    listed("msg", queue, "k-nnnppnnnnttt");
    semctl(set, 0, IPC_RMID);
    msgctl(queue, IPC_RMID, NULL);
}

int main(void) {
    key = 0x43000000 + getpid();
    segments();
    semaphores();
    messages();
    lists();
    return finish();
}
