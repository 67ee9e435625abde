/* execs: what execve takes, what it refuses and with which errno, and what a new image finds. */
#include "check.h"
#include <elf.h>
#include <limits.h>

extern char **environ;
static char self[PATH_MAX];
static unsigned char *image;
static size_t imageSize;

static int writeFile(const char *name, const void *data, size_t size, mode_t mode) {
    unlink(name);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0700);
    int good = fd >= 0 && write(fd, data, size) == (ssize_t)size;
    close(fd);
    return good && chmod(name, mode) == 0;
}

static int script(const char *name, const char *text) { return writeFile(name, text, strlen(text), 0755); }

/* The errno of execve in a child, 0 + its exit status as 500 + status when it ran, 1000 + signal when it died. */
static int tryExec(const char *name, char *const arguments[]) {
    pid_t pid = fork();
    if (pid == 0) {
        char *usual[] = {(char *)name, 0};
        alarm(5);
        int null = open("/dev/null", O_RDWR);
        dup2(null, 2);
        close(null);
        execve(name, arguments ? arguments : usual, environ);
        _exit(errno);
    }
    return endOf(pid);
}

static void refusals(void) {
    char longName[300];
    memset(longName, 'x', 299);
    longName[299] = 0;
    writeFile("plain", "no program\n", 11, 0644);
    writeFile("text", "no program\n", 11, 0755);
    writeFile("empty", "", 0, 0755);
    mkdir("folder", 0755);
    symlink("turn", "turn");
    mkfifo("pipe", 0755);
    CHECK("missing: ENOENT", tryExec("./missing", 0) == ENOENT);
    CHECK("not executable: EACCES", tryExec("./plain", 0) == EACCES);
    CHECK("a directory: EACCES", tryExec("./folder", 0) == EACCES);
    CHECK("a FIFO: EACCES", tryExec("./pipe", 0) == EACCES);
    CHECK("a device: EACCES", tryExec("/dev/null", 0) == EACCES);
    CHECK("not a program: ENOEXEC", tryExec("./text", 0) == ENOEXEC);
    CHECK("an empty file: ENOEXEC", tryExec("./empty", 0) == ENOEXEC);
    CHECK("below a file: ENOTDIR", tryExec("./text/x", 0) == ENOTDIR);
    CHECK("a loop: ELOOP", tryExec("./turn", 0) == ELOOP);
    CHECK("a long name: ENAMETOOLONG", tryExec(longName, 0) == ENAMETOOLONG);
    CHECK("the empty name: ENOENT", tryExec("", 0) == ENOENT);
    ERROR("a bad address: EFAULT", syscall(SYS_execve, 8, 0, 0), EFAULT);
    ERROR("bad arguments: EFAULT", syscall(SYS_execve, self, 8, 0), EFAULT);
    size_t large = 200 * 1024;
    char *one = malloc(large + 1);
    memset(one, 'a', large);
    one[large] = 0;
    CHECK("an argument too long: E2BIG", tryExec(self, (char *[]){"x", one, 0}) == E2BIG);
    char **lots = calloc(100001, sizeof *lots);
    one[100] = 0;
    for (int i = 0; i < 100000; i++) lots[i] = one;
    CHECK("arguments too many: E2BIG", tryExec(self, lots) == E2BIG);
    for (int i = 9000; i < 100000; i++) lots[i] = 0;
    lots[0] = "execs", lots[1] = "count";
    CHECK("nine thousand arguments", tryExec(self, lots) == 500 % 256);
}

static void scripts(void) {
    char line[PATH_MAX + 64];
    char *three[] = {"zero", "one", "two", 0};
    snprintf(line, sizeof line, "#!%s show\n", self);
    script("simple", line);
    CHECK("a script", tryExec("./simple", three) == 80 + 4); /* self, show, ./simple, one, two: four after argv[0] */
    snprintf(line, sizeof line, "#! %s   show   \nrest\n", self);
    script("blanks", line);
    CHECK("blanks around the argument", tryExec("./blanks", 0) == 80 + 2);
    snprintf(line, sizeof line, "#!%s show this and that\n", self);
    script("one-argument", line);
    CHECK("one argument, whatever its blanks", tryExec("./one-argument", 0) == 70);
    snprintf(line, sizeof line, "#!%s", self);
    script("no-newline", line);
    CHECK("no newline at the end", tryExec("./no-newline", (char *[]){"x", "y", 0}) == 71);
    script("lost", "#!/no/such/interpreter\n");
    CHECK("no interpreter: ENOENT", tryExec("./lost", 0) == ENOENT);
    script("bare", "#!\n");
    CHECK("nothing behind #!: ENOEXEC", tryExec("./bare", 0) == ENOEXEC);
    script("of-plain", "#!./plain\n");
    CHECK("an interpreter without x: EACCES", tryExec("./of-plain", 0) == EACCES);
    script("s1", "#!./simple\n");
    CHECK("a script of a script", tryExec("./s1", 0) == 80 + 3);
    script("s2", "#!./s1\n"), script("s3", "#!./s2\n"), script("s4", "#!./s3\n"), script("s5", "#!./s4\n");
    CHECK("five deep: it runs", tryExec("./s4", 0) == 80 + 6);
    CHECK("six deep: ELOOP", tryExec("./s5", 0) == ELOOP);
    script("endless", "#!./endless\n");
    CHECK("a script of itself: ELOOP", tryExec("./endless", 0) == ELOOP);
    snprintf(line, sizeof line, "#!%s show\n", self);
    writeFile("unreadable", line, strlen(line), 0111);
    CHECK("root may execute what nobody can read", tryExec("./unreadable", 0) == 80 + 2);
}

static void inheritance(void) {
    int kept = open("/dev/null", O_RDONLY), closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char numbers[2][16];
    snprintf(numbers[0], 16, "%d", kept);
    snprintf(numbers[1], 16, "%d", closed);
    CHECK("O_CLOEXEC", tryExec(self, (char *[]){"execs", "descriptors", numbers[0], numbers[1], 0}) == 60);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("EXECS", "value", 1);
        umask(027);
        setpgid(0, 0);
        chdir("folder");
        char number[16];
        snprintf(number, 16, "%d", (int)getpid());
        execl(self, "a name", "state", number, (char *)0);
        _exit(99);
    }
    CHECK("environment, umask, group, directory, pid, name stay", endOf(pid) == 61);
    pid = fork();
    if (pid == 0) {
        execve(self, (char *[]){"execs", "no-environment", 0}, 0);
        _exit(99);
    }
    CHECK("no environment at all", endOf(pid) == 62);
    int fd = open(self, O_RDONLY);
    pid = fork();
    if (pid == 0) {
        syscall(SYS_execveat, fd, "", (char *[]){"x", "count", 0}, environ, AT_EMPTY_PATH);
        _exit(99);
    }
    CHECK("execveat of a descriptor", endOf(pid) == 500 % 256);
    close(fd);
    ERROR("a program that runs is not written to", open(self, O_WRONLY), ETXTBSY);
}

/* The own program's file, cut or changed. Where Linux refuses, it must be with its errno. Where Linux finds out only past
 * the point of no return and kills (`late`), an errno is as good. The child may be hurt, nothing else. */
static void change(const char *name, void (*body)(unsigned char *), size_t size, int late, const char *what) {
    unsigned char *copy = malloc(imageSize);
    memcpy(copy, image, imageSize);
    if (body) body(copy);
    writeFile(name, copy, size, 0755);
    free(copy);
    int end = tryExec("./hostile-elf", (char *[]){"x", "count", 0});
    if (end == 1000 + SIGALRM || end < 0) failures++;
    if (late && end != 500 % 256) say("elf %s: does not run", what);
    else if (end > 1000) say("elf %s: dies by signal %d", what, end - 1000);
    else if (end == 500 % 256) say("elf %s: runs", what);
    else say("elf %s: %s", what, end == ENOEXEC ? "ENOEXEC" : end == EINVAL ? "EINVAL" : end == ENOMEM ? "ENOMEM" :
             end == EIO ? "EIO" : end == ENOENT ? "ENOENT" : end == EACCES ? "EACCES" : end == ELIBBAD ? "ELIBBAD" :
             end == EFAULT ? "EFAULT" : end == EEXIST ? "EEXIST" : end == EPERM ? "EPERM" : "another end");
}

#include "execs-mutations.h"

int main(int count, char **arguments) {
    if (count >= 2 && strcmp(arguments[1], "count") == 0) return (char)500;
    if (count >= 2 && strcmp(arguments[1], "show") == 0) return 80 + count - 1;
    if (count >= 2 && strcmp(arguments[1], "show this and that") == 0) return 70;
    if (count == 3 && strcmp(arguments[1], "./no-newline") == 0) return 71;
    if (count == 4 && strcmp(arguments[1], "descriptors") == 0)
        return fcntl(atoi(arguments[2]), F_GETFD) == 0 && fcntl(atoi(arguments[3]), F_GETFD) == -1 ? 60 : 1;
    if (count == 3 && strcmp(arguments[1], "state") == 0) {
        char where[PATH_MAX];
        return getenv("EXECS") && !strcmp(getenv("EXECS"), "value") && umask(0) == 027 && getpgrp() == getpid() &&
               getpid() == atoi(arguments[2]) && !strcmp(arguments[0], "a name") && getcwd(where, sizeof where) &&
               strlen(where) > 7 && !strcmp(where + strlen(where) - 7, "/folder") ? 61 : 2;
    }
    if (count == 2 && strcmp(arguments[1], "no-environment") == 0) return environ[0] == 0 ? 62 : 3;
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) return 98;
    int fd = open(self, O_RDONLY);
    struct stat status;
    fstat(fd, &status);
    imageSize = (size_t)status.st_size;
    image = malloc(imageSize);
    if (read(fd, image, imageSize) != (ssize_t)imageSize) return 97;
    close(fd);
    refusals();
    scripts();
    inheritance();
    mutations();
    CHECK("the program itself still runs", tryExec(self, (char *[]){"x", "count", 0}) == 500 % 256);
    return finish();
}
