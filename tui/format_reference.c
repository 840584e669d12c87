/* The schema of the AtMan repository's own output: one entry a target token, values of the opposite sign.
 *
 * Where every unit is one token, token_index is its index; else it is the list of the unit's tokens, as the repository
 * writes its custom chunks. */
#include "tui/format_json.h"

static bool one_token_each(const struct explanation *e)
{
    for (size_t u = 0; u < e->unit_count; u++)
        if (e->units[u].first != e->units[u].last)
            return false;
    return true;
}

static json_t *unit_index(const struct unit *unit, bool single)
{
    if (single)
        return json_integer(unit->first);
    json_t *list = json_array();
    for (int i = unit->first; i <= unit->last; i++)
        if (unit_holds(unit, i))
            json_array_append_new(list, json_integer(i));
    return list;
}

int format_reference(const struct report *r, FILE *out, struct error *error)
{
    const struct explanation *e = r->explanation;
    bool single = one_token_each(e);
    json_t *all = json_array();
    for (size_t t = 0; t < e->output_count; t++) {
        json_t *list = json_array();
        for (size_t u = 0; u < e->unit_count; u++) {
            if ((size_t)e->units[u].first >= e->token_count + t)
                continue;
            json_array_append_new(list, json_pack("{so so}", "token_index", unit_index(&e->units[u], single), "value",
                                                  format_json_number(0 - report_relevance(e, u, (int)t))));
        }
        json_array_append_new(all, json_pack("{si si so}", "target_token_id", (int)e->output[t].id,
                                             "target_token_index", (int)t, "explanation", list));
    }
    return format_json_write(all, false, out, error);
}
