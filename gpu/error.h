/* error.h: how every function of this house says that it failed.
 *
 * A function that can fail returns 0 or a negative code and takes a `struct error *` last, which may be NULL.
 * The lowest layer says what went wrong; callers may add in front of it what they were doing.  Nothing below
 * main() prints or exits. */
#ifndef GPU_ERROR_H
#define GPU_ERROR_H

enum error_code {
    ERROR_IO = -1,          /* the system refused: open, read, write, map */
    ERROR_FORMAT = -2,      /* a file or text is not what it claims to be */
    ERROR_UNSUPPORTED = -3, /* well-formed, but not something this program can use */
    ERROR_SHAPE = -4,       /* sizes do not fit together */
    ERROR_ARGUMENT = -5,    /* a value outside its range */
    ERROR_MEMORY = -6,
    ERROR_DEVICE = -7,      /* the device failed or is missing */
    ERROR_CANCELLED = -8,
    ERROR_LIMIT = -9,       /* more than was allowed: context, budget, size */
};

struct error {
    int code;
    char message[1000]; /* one line, UTF-8, without a trailing stop: "why; what to do" */
};

/* Set code and message (printf style); control characters are made visible.  Returns code. */
int error_set(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Put "what: " in front of the message.  Returns code, which is the one the failed call returned. */
int error_add(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
