#include "tui/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One sentence for what the system said about path. */
static int output_failed(const char *path, int number, struct error *error)
{
    const char *advice = number == ENOSPC || number == EDQUOT  ? "; make room or write elsewhere"
                         : number == ENOENT                    ? "; make the folder first"
                         : number == EACCES || number == EROFS ? "; choose a folder you may write to"
                                                               : "";
    return error_set(error, ERROR_IO, "%s: cannot write: %s%s", path, strerror(number), advice);
}

int output_write_fd(int fd, const char *what, const void *data, size_t size, struct error *error)
{
    const char *p = data;
    while (size) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EAGAIN) { /* a descriptor some other program left non-blocking */
            struct pollfd wait = {fd, POLLOUT, 0};
            poll(&wait, 1, -1);
        } else if (n < 0 && errno == EPIPE) {
            return error_set(error, OUTPUT_CLOSED, "%s: closed", what);
        } else if (n < 0 && errno != EINTR) {
            return output_failed(what, errno, error);
        } else if (n > 0) {
            p += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

/* The folder of path, malloced. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
}

int output_check(const char *path, struct error *error)
{
    if (!path)
        return 0;
    if (!*path)
        return error_set(error, ERROR_IO, "-o: the file name is empty; give one, or leave -o out");
    struct stat found;
    if (stat(path, &found) == 0) {
        if (S_ISDIR(found.st_mode))
            return error_set(error, ERROR_IO, "%s: is a folder; give a file name in it", path);
        if (!S_ISREG(found.st_mode))
            return 0;
    }
    char *folder = folder_of(path);
    if (!folder)
        return error_set(error, ERROR_MEMORY, "out of memory");
    int code = 0;
    if (stat(folder, &found) != 0)
        code = output_failed(path, errno, error);
    else if (!S_ISDIR(found.st_mode))
        code = output_failed(path, ENOTDIR, error);
    else if (access(folder, W_OK) != 0)
        code = output_failed(path, errno, error);
    free(folder);
    return code;
}

/* Write, sync and close fd; the first thing that fails is reported. */
static int write_whole(int fd, const char *path, const void *data, size_t size, bool sync, struct error *error)
{
    int code = output_write_fd(fd, path, data, size, error);
    if (code == 0 && sync && fsync(fd) != 0)
        code = output_failed(path, errno, error);
    if (close(fd) != 0 && code == 0)
        code = output_failed(path, errno, error);
    return code;
}

/* target: the name behind any links, so that a link stays a link. */
static int write_renamed(const char *path, const char *target, const void *data, size_t size, struct error *error)
{
    char *temporary;
    if (asprintf(&temporary, "%s.XXXXXX", target) < 0)
        return error_set(error, ERROR_MEMORY, "out of memory");
    int fd = mkstemp(temporary), code;
    if (fd < 0) {
        code = output_failed(path, errno, error);
        free(temporary);
        return code;
    }
    struct stat old;
    mode_t mask = umask(0);
    umask(mask);
    mode_t mode = stat(target, &old) == 0 ? old.st_mode & 07777 : 0666 & ~mask;
    if (fchmod(fd, mode) != 0) {
        /* a file system without modes: the name still gets its contents */
    }
    code = write_whole(fd, path, data, size, true, error);
    if (code == 0 && rename(temporary, target) != 0)
        code = output_failed(path, errno, error);
    if (code)
        unlink(temporary);
    free(temporary);
    return code;
}

int output_write(const char *path, const void *data, size_t size, struct error *error)
{
    if (!path)
        return output_write_fd(STDOUT_FILENO, "standard output", data, size, error);
    struct stat found;
    if (stat(path, &found) == 0 && !S_ISREG(found.st_mode)) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        return fd < 0 ? output_failed(path, errno, error) : write_whole(fd, path, data, size, false, error);
    }
    char *real = realpath(path, NULL);
    int code = write_renamed(path, real ? real : path, data, size, error);
    free(real);
    return code;
}

int output_fill(const char *path, output_filler *fill, const void *data, struct error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return error_set(error, ERROR_MEMORY, "out of memory");
    int code = fill(out, data, error);
    if (fclose(out) != 0 && code == 0)
        code = error_set(error, ERROR_MEMORY, "out of memory");
    if (code == 0)
        code = output_write(path, text, size, error);
    free(text);
    return code;
}
