/* Runs a fuzz target over every file of the directories (or the files) that are named: fuzzing
 * without a fuzzer. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#define FILE_MAX_SIZE (16u << 20)

/* Also with each file cut short in the middle, for half the bugs of a reader are at its end. */
static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = malloc(FILE_MAX_SIZE);
    int err = -1;
    if (f && bytes) {
        size_t size = fread(bytes, 1, FILE_MAX_SIZE, f);
        if (!ferror(f)) {
            LLVMFuzzerTestOneInput(bytes, size);
            LLVMFuzzerTestOneInput(bytes, size / 2);
            err = 0;
        }
    }
    if (err)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    free(bytes);
    if (f)
        fclose(f);
    return err;
}

static int run_directory(const char *path, size_t *count)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int err = 0;
    if (!dir) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    while (!err && (entry = readdir(dir))) {
        char file[4096];
        if (entry->d_name[0] == '.')
            continue;
        int len = snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        if (len < 0 || (size_t)len >= sizeof(file))
            err = -1;
        else
            err = run_file(file);
        ++*count;
    }
    closedir(dir);
    return err;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        bool directory = !stat(argv[i], &st) && S_ISDIR(st.st_mode);
        int err = directory ? run_directory(argv[i], &count) : run_file(argv[i]);
        count += !directory;
        if (err)
            return 1;
    }
    printf("%zu inputs\n", count);
    return count ? 0 : 1; /* an empty corpus tests nothing */
}
