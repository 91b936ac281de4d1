#include "sniffers.h"

#include <stdio.h>
#include <string.h>

#include "descriptors.h"

/* Of names the kernel keeps 15 bytes. Nautilus, Thunar, Caja and Nemo were seen to need no place
 * here. */
static const char *const names[] = {
    "pcmanfm", /* libfm, at each listing */
    "dolphin", /* Qt, now and then */
};

/* The thread's process; its threads have names of their own. 0: gone. */
static pid_t process_of(pid_t tid)
{
    char text[1024];
    const char *field;
    pid_t pid;

    if (!descriptors_process_text(tid, "status", text, sizeof(text)))
        return 0;
    /* In the program's name, which comes first, the kernel writes a newline as two characters. */
    field = strstr(text, "\nTgid:");
    return field && sscanf(field, "\nTgid: %d", &pid) == 1 ? pid : 0;
}

bool sniffers_look(pid_t tid)
{
    pid_t pid = tid > 0 ? process_of(tid) : 0;
    char name[64];

    if (pid <= 0 || !descriptors_process_text(pid, "comm", name, sizeof(name)))
        return false;
    name[strlen(name) - 1] = '\0'; /* the newline */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}
