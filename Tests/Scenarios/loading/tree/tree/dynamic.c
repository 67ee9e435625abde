/* What the dynamic linker does at run time: libraries by name, their symbols, thread-local storage, errors. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int (*one)(int);
static void *thread(void *argument) { return argument + one(2) - 41; }
static int count(struct dl_phdr_info *info, size_t size, void *place) {
    (void)size;
    if (strstr(info->dlpi_name, "libone")) ++*(int *)place;
    return 0;
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("getppid %s, time %s\n", getppid() == 4711 ? "replaced" : "libc's", time(NULL) == 77 ? "replaced" : "libc's");
    printf("nothing: %s\n", dlopen("./libnone.so", RTLD_NOW) ? "loaded" : dlerror());
    printf("no library: %s\n", dlopen("./dynamic.c", RTLD_NOW) ? "loaded" : dlerror());
    void *library = dlopen("./libone.so", RTLD_LAZY), *again = dlopen("./libone.so", RTLD_NOLOAD | RTLD_LAZY);
    printf("loaded %d, the same %d\n", library != NULL, library == again);
    one = (int (*)(int))dlsym(library, "one");
    printf("no symbol: %s\n", dlsym(library, "two") ? "there" : dlerror());
    printf("one %d\n", one(1));
    pthread_t other;
    void *result;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, &result);
    printf("one elsewhere %ld, here %d\n", (long)result, one(0));
    int seen = 0;
    dl_iterate_phdr(count, &seen);
    printf("listed %d\n", seen);
    Dl_info info;
    printf("whose %s\n", dladdr((void *)one, &info) && strstr(info.dli_fname, "libone") ? info.dli_sname : "nobody's");
    dlclose(again);
    dlclose(library);
    printf("closed\n");
    return 0;
}
