/* A library with a constructor, a thread-local variable and a destructor. */
#include <stdio.h>
__thread int ours = 41;
__attribute__((constructor)) static void begin(void) { puts("one: begin"); }
__attribute__((destructor)) static void end(void) { puts("one: end"); }
int one(int more) { return ours += more; }
