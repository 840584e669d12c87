#include "tui/complete.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static bool is_picture_name(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".webp"};
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(ending, endings[i]) == 0)
            return true;
    return false;
}

/* Whether a folder's entry fits what is typed of its name; folders get a slash behind their names. */
static bool fits(const char *folder, const char *entry, const char *typed, bool pictures, char *name, size_t size)
{
    char path[4096];
    struct stat found;
    if (strncmp(entry, typed, strlen(typed)) != 0 || (entry[0] == '.' && typed[0] != '.') || strcmp(entry, ".") == 0 ||
        strcmp(entry, "..") == 0)
        return false;
    int length = snprintf(path, sizeof path, "%s%s", *folder ? folder : "./", entry);
    if (length < 0 || (size_t)length >= sizeof path || stat(path, &found) != 0)
        return false;
    bool is_folder = S_ISDIR(found.st_mode);
    snprintf(name, size, "%s%s", entry, is_folder ? "/" : "");
    return is_folder || (S_ISREG(found.st_mode) && (!pictures || is_picture_name(entry)));
}

size_t complete_path(const char *typed, bool pictures, char *path, size_t size, char *choices, size_t choices_size)
{
    char folder[4096], name[300], common[300] = "";
    const char *slash = strrchr(typed, '/'), *rest = slash ? slash + 1 : typed;
    size_t count = 0, used = 0;
    snprintf(path, size, "%s", typed);
    snprintf(folder, sizeof folder, "%.*s", (int)(rest - typed), typed);
    choices[0] = '\0';
    struct dirent **entries = NULL;
    int entry_count = scandir(*folder ? folder : ".", &entries, NULL, alphasort);
    for (int i = 0; i < entry_count; i++) {
        size_t same = 0;
        bool fit = fits(folder, entries[i]->d_name, rest, pictures, name, sizeof name);
        free(entries[i]);
        if (!fit)
            continue;
        while (count > 0 && name[same] && name[same] == common[same])
            same++;
        if (count++ == 0)
            snprintf(common, sizeof common, "%s", name);
        else
            common[same] = '\0';
        if (used + strlen(name) + 2 < choices_size)
            used += (size_t)snprintf(choices + used, choices_size - used, "%s%s", used ? "  " : "", name);
    }
    free(entries);
    while (*common && (common[strlen(common) - 1] & 0xc0) == 0x80 && count > 1) /* no half characters */
        common[strlen(common) - 1] = '\0';
    if (count > 0 && strlen(common) >= strlen(rest))
        snprintf(path, size, "%s%s", folder, common);
    if (count < 2)
        choices[0] = '\0';
    return count;
}
