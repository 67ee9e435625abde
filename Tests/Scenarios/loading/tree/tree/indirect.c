/* IFUNC: which function it is, the loader asks when it relocates. */
#include <stdio.h>
#include <string.h>
static int first(void) { return 1; }
static int second(void) { return 2; }
static int (*choose(void))(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse2") ? second : first;
}
int chosen(void) __attribute__((ifunc("choose")));
int main(void) {
    int (*volatile pointer)(void) = chosen;
    char room[300];
    memset(room, 'x', sizeof room);
    printf("chosen %d, by pointer %d, libc's %zu\n", chosen(), pointer(), strnlen(room, sizeof room));
    return 0;
}
