/* Where it is: anywhere, or where it was linked for. */
#include <stdio.h>
#include <sys/auxv.h>
static int data = 5, *pointer = &data;
int main(int count, char **words) {
    unsigned long here = (unsigned long)main;
    printf("%s of %d: %s, relocated %d, entry %s\n", words[0], count, here > 0x100000000 ? "anywhere" : "fixed", *pointer == 5,
           getauxval(AT_ENTRY) >> 24 == here >> 24 ? "near" : "far");
    return 0;
}
