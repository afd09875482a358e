#include "milter/mapswatch.h"

#include <string.h>

void mapswatch_init(struct mapswatch *watch)
{
    *watch = (struct mapswatch){0};
    CHECK(pthread_mutex_init(&watch->lock, NULL) == 0);
}

static void empty(struct mapswatch *watch)
{
    free(watch->folder);
    mapsums_done(&watch->sums);
    watch->folder = NULL;
    watch->summed = false;
}

void mapswatch_done(struct mapswatch *watch)
{
    empty(watch);
    pthread_mutex_destroy(&watch->lock);
}

void mapswatch_set(struct mapswatch *watch, const char *folder, struct mapsums *sums)
{
    char *copy = folder != NULL ? strdup(folder) : NULL;
    struct mapswatch before;

    pthread_mutex_lock(&watch->lock);
    before = *watch;
    watch->turn++;
    watch->folder = copy;
    watch->summed = sums != NULL && copy != NULL;
    watch->sums = watch->summed ? *sums : (struct mapsums){0};
    pthread_mutex_unlock(&watch->lock);
    if (sums != NULL && copy != NULL)
        *sums = (struct mapsums){0};
    empty(&before);
}

/* What was read need not be read again, unless another configuration has come since. */
static void remember(struct mapswatch *watch, unsigned turn, const struct mapsums *looked)
{
    pthread_mutex_lock(&watch->lock);
    if (watch->turn == turn && looked->n > 0)
        memcpy(watch->sums.list, looked->list, looked->n * sizeof *looked->list);
    pthread_mutex_unlock(&watch->lock);
}

static void put_lines(const struct mapsums *sums, struct strbuf *lines)
{
    for (size_t i = 0; i < sums->n; i++)
        if (sums->list[i].state != MAPSUM_SAME)
            strbuf_printf(lines, "%s: %s\n", sums->list[i].name, sums->list[i].why);
}

enum mapswatch_state mapswatch_look(struct mapswatch *watch, struct strbuf *lines)
{
    static const enum mapswatch_state states[] = {[MAPSUM_SAME] = MAPSWATCH_SAME,
                                                  [MAPSUM_UNKNOWN] = MAPSWATCH_UNKNOWN,
                                                  [MAPSUM_DIFFERS] = MAPSWATCH_DIFFER};
    struct mapsums sums = {0};

    pthread_mutex_lock(&watch->lock);
    bool wanted = watch->folder != NULL;
    char *folder = wanted ? strdup(watch->folder) : NULL;
    bool known = watch->summed && folder != NULL && mapsums_copy(&watch->sums, &sums);
    unsigned turn = watch->turn;
    pthread_mutex_unlock(&watch->lock);

    enum mapswatch_state state = wanted ? MAPSWATCH_UNKNOWN : MAPSWATCH_NONE;
    if (known) {
        state = states[mapsums_look(&sums, folder)];
        put_lines(&sums, lines);
        remember(watch, turn, &sums);
    }
    mapsums_done(&sums);
    free(folder);
    return state;
}

const char *mapswatch_word(enum mapswatch_state state)
{
    static const char *const words[] = {[MAPSWATCH_NONE] = NULL,
                                        [MAPSWATCH_SAME] = "same",
                                        [MAPSWATCH_UNKNOWN] = "cannot tell",
                                        [MAPSWATCH_DIFFER] = "differ"};
    return words[state];
}
