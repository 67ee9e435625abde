/* emptied: what memory shows of a file that was empty and that nobody has open any more. */
#include "check.h"

int main(void) {
    int fd = open("emptied", O_RDWR | O_CREAT | O_EXCL, 0600);
    char *memory = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    CHECK("mapped while it is empty", memory != MAP_FAILED);
    fd = open("emptied", O_RDWR);
    CHECK("another makes it longer", write(fd, "text", 4) == 4);
    close(fd);
    CHECK("memory shows it", memcmp(memory, "text", 4) == 0);
    memory[1] = 'E';
    char room[8] = {0};
    fd = open("emptied", O_RDONLY);
    CHECK("and the file what memory wrote", read(fd, room, 8) == 4 && memcmp(room, "tExt", 4) == 0);
    close(fd);
    CHECK("emptied", truncate("emptied", 0) == 0);
    fd = open("emptied", O_WRONLY | O_APPEND);
    close(fd);
    fd = open("emptied", O_RDWR);
    write(fd, "new", 3);
    close(fd);
    CHECK("memory shows that too", memcmp(memory, "new", 4) == 0);
    struct stat before, after;
    fd = open("times", O_RDWR | O_CREAT, 0600);
    write(fd, "x", 1);
    ftruncate(fd, 0);
    fstat(fd, &before);
    close(fd);
    stat("times", &after);
    CHECK("closing is no change", before.st_mtim.tv_sec == after.st_mtim.tv_sec && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec && after.st_size == 0);
    return finish();
}
