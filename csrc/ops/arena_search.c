/* The search for a plan of an arena within a capacity.

   The state is a lowest offset `low` for every buffer that is not placed yet. A section's floor is the least of its
   buffers' lows: nothing can lie lower there any more. Where a floor is no higher than those beside it, its lowest buffer
   lies either on the floor (a buffer x whose low is the floor, and then all alive with x lie above it) or higher: on
   the floor of a neighbour or on a buffer that is not alive in the section. Deciding which, section by section, reaches a
   lowered form of every plan, in which each buffer rests on something.

   Bound: a section's buffers need, above any of their lows, at least the sizes of those whose lows are no less. What
   exceeds the capacity is a failure, and its reason the set of buffers in that sum. A decision that changed none of
   a failure's buffers is undone with it, without trying its other ways. */
#include <hwblocks/arena.h>
#include <string.h>

enum { DEPTH, TRAILED, NODES, WORK, RESULT, COUNTERS };
enum { SECTION, TRIED, MARK, FRAME }; /* a decision: its section, the rank tried last, the trail before it */

typedef struct {
  const hwb_arena *a;
  const hwb_goal *g;
  int64_t *counter;                  /* [COUNTERS] */
  int64_t *low, *offset;             /* [buffers]; offset −1: not placed */
  int64_t *list;                     /* as a->member, rising by low, the placed ones last */
  int64_t *floor, *on_floor;         /* [sections]: −1 where all are placed; buffers with their low there */
  int64_t *room, *spare;             /* [sections]: bytes left by the bound, and by the sizes above the floor alone */
  int64_t *stale, *queue, queued;    /* [sections]: sections to bound again */
  int64_t *trail, trails;            /* pairs: buffer and its low before, or −1 − buffer for one that was placed */
  int64_t *frames, depths, *reasons; /* [depths, FRAME], bits [depths, words] */
  int64_t *reason, words;            /* bits [words] of the last failure */
} search;

static int64_t overlaps(const hwb_arena *a, int64_t b) {
  int64_t at = a->first[b];
  return a->member_at[at + 1] - a->member_at[at] + a->starts[a->past[b]] - a->starts[at + 1];
}

static int64_t *take(int64_t **memory, int64_t count) {
  int64_t *taken = *memory;
  *memory += count;
  return taken;
}

/* Pointers into the memory; returns its int64 words. */
static size_t lay_out(search *s, const hwb_arena *a, const hwb_goal *g, int64_t *memory) {
  int64_t n = a->buffers, sections = a->sections, *at = memory;
  s->a = a, s->g = g, s->queued = 0, s->trails = 4 * n, s->depths = 4 * n + 64, s->words = (n + 63) / 64;
  for (int64_t b = 0; b < n; b++) s->trails += 2 * overlaps(a, b);
  s->counter = take(&at, COUNTERS);
  s->offset = take(&at, n);
  s->low = take(&at, n);
  s->list = take(&at, a->member_at[sections]);
  s->floor = take(&at, sections);
  s->room = take(&at, sections);
  s->spare = take(&at, sections);
  s->on_floor = take(&at, sections);
  s->stale = take(&at, sections);
  s->queue = take(&at, sections);
  s->trail = take(&at, 2 * s->trails);
  s->frames = take(&at, FRAME * s->depths);
  s->reasons = take(&at, s->words * s->depths);
  s->reason = take(&at, s->words);
  return (size_t)(at - memory);
}

static void add(int64_t *bits, int64_t b) { bits[b / 64] |= (int64_t)(UINT64_C(1) << (b % 64)); }
static int has(const int64_t *bits, int64_t b) { return (int)(((uint64_t)bits[b / 64] >> (b % 64)) & 1); }
static int waits(const search *s, int64_t b) { return s->offset[b] < 0; }
static int64_t height(const search *s, int64_t b) { return waits(s, b) ? s->low[b] : INT64_MAX; }

static void queue_sections(search *s, int64_t b) {
  for (int64_t at = s->a->first[b]; at < s->a->past[b]; at++)
    if (!s->stale[at]) s->stale[at] = 1, s->queue[s->queued++] = at;
}

static void note(search *s, int64_t what, int64_t before) {
  int64_t *entry = s->trail + 2 * s->counter[TRAILED]++;
  entry[0] = what, entry[1] = before;
}

static void lift(search *s, int64_t b, int64_t low) {
  if (!waits(s, b) || s->low[b] >= low) return;
  note(s, b, s->low[b]);
  s->low[b] = low;
  queue_sections(s, b);
}

/* The k-th buffer alive with b (b among them): those in its first section, then those that start later. */
static int64_t neighbour(const search *s, int64_t b, int64_t k) {
  const hwb_arena *a = s->a;
  int64_t at = a->member_at[a->first[b]], count = a->member_at[a->first[b] + 1] - at;
  return k < count ? a->member[at + k] : a->starts[a->first[b] + 1] + k - count;
}

static void place(search *s, int64_t b) {
  int64_t count = overlaps(s->a, b), end = s->low[b] + s->a->size[b];
  s->offset[b] = s->low[b];
  note(s, -1 - b, 0);
  queue_sections(s, b);
  for (int64_t k = 0; k < count; k++) lift(s, neighbour(s, b, k), end);
  s->counter[WORK] += count;
}

static void undo(search *s, int64_t mark) {
  while (s->counter[TRAILED] > mark) {
    const int64_t *entry = s->trail + 2 * --s->counter[TRAILED];
    int64_t b = entry[0] < 0 ? -1 - entry[0] : entry[0];
    if (entry[0] < 0) s->offset[b] = -1;
    else s->low[b] = entry[1];
    queue_sections(s, b);
  }
}

/* A section's buffers by rising low; nearly sorted from the time before. */
static void sort_section(search *s, int64_t *list, int64_t count) {
  for (int64_t i = 1; i < count; i++) {
    int64_t b = list[i], low = height(s, b), j = i;
    for (; j > 0 && height(s, list[j - 1]) > low; j--) list[j] = list[j - 1];
    list[j] = b;
    s->counter[WORK] += i - j;
  }
  s->counter[WORK] += count;
}

/* Floor and room of a section; 0 and the reason where its buffers do not fit. */
static int bound_section(search *s, int64_t at) {
  int64_t *list = s->list + s->a->member_at[at], count = s->a->member_at[at + 1] - s->a->member_at[at];
  int64_t top = 0, from = 0, alive = 0, on_floor = 0, sizes = 0;
  sort_section(s, list, count);
  for (; alive < count && waits(s, list[alive]); alive++) {
    int64_t b = list[alive];
    if (s->low[b] > top) top = s->low[b], from = alive;
    top += s->a->size[b], sizes += s->a->size[b];
    on_floor += s->low[b] == s->low[list[0]];
  }
  s->floor[at] = alive ? s->low[list[0]] : -1;
  s->room[at] = s->g->capacity - top, s->spare[at] = s->g->capacity - s->floor[at] - sizes, s->on_floor[at] = on_floor;
  if (top <= s->g->capacity) return 1;
  memset(s->reason, 0, (size_t)s->words * sizeof(int64_t));
  for (int64_t i = from; i < alive; i++) add(s->reason, list[i]);
  return 0;
}

/* Bound the sections that changed; after a failure the others only once they are asked for again. */
static int bound_all(search *s) {
  int fits = 1;
  for (int64_t i = 0; i < s->queued; i++) {
    int64_t at = s->queue[i];
    s->stale[at] = 0;
    fits = fits && bound_section(s, at);
  }
  s->queued = 0;
  return fits;
}

/* How much a section is wanted as the next, less is more. */
static int before(const search *s, int64_t at, int64_t other) {
  int64_t ways = s->on_floor[at] + (s->room[at] > 0), others = s->on_floor[other] + (s->room[other] > 0);
  if (s->g->choice == HWB_LOWEST && s->floor[at] != s->floor[other]) return s->floor[at] < s->floor[other];
  if (s->g->choice == HWB_TIGHTEST && s->room[at] != s->room[other]) return s->room[at] < s->room[other];
  return ways != others ? ways < others : s->room[at] < s->room[other];
}

/* Past the sections from `at` on that have one floor; `is_valley`: those beside them lie higher. */
static int64_t past_level(const search *s, int64_t at, int *is_valley) {
  int64_t past = at, level = s->floor[at], count = s->a->sections;
  while (past < count && s->floor[past] == level) past++;
  int left = at == 0 || s->floor[at - 1] < 0 || s->floor[at - 1] > level;
  int right = past == count || s->floor[past] < 0 || s->floor[past] > level;
  *is_valley = level >= 0 && left && right;
  return past;
}

/* The section to decide, −1 where all is placed. */
static int64_t next_section(search *s) {
  int64_t best = -1, past;
  int is_valley;
  for (int64_t at = 0; at < s->a->sections; at = past) {
    past = past_level(s, at, &is_valley);
    for (int64_t i = at; is_valley && i < past; i++)
      if (best < 0 || before(s, i, best)) best = i;
  }
  s->counter[WORK] += s->a->sections;
  return best;
}

static int64_t *frame(const search *s) { return s->frames + FRAME * s->counter[DEPTH]; }
static int64_t *blamed(const search *s) { return s->reasons + s->words * s->counter[DEPTH]; }

/* Begin a decision; its reason holds all that wait in its section. */
static void open_frame(search *s, int64_t at) {
  int64_t *f = frame(s), *bits = blamed(s);
  f[SECTION] = at, f[TRIED] = -1, f[MARK] = s->counter[TRAILED];
  memset(bits, 0, (size_t)s->words * sizeof(int64_t));
  for (int64_t i = s->a->member_at[at]; i < s->a->member_at[at + 1]; i++)
    if (waits(s, s->a->member[i])) add(bits, s->a->member[i]);
  s->counter[WORK] += s->words;
}

static int same_life(const hwb_arena *a, int64_t b, int64_t c) {
  return a->first[b] == a->first[c] && a->past[b] == a->past[c];
}

/* 1 where an exchange with another buffer of the same life gives a plan that is found elsewhere: an equal one that waits
   with a lower rank, or one of a higher rank right below. The latter joins the reason. */
static int is_repeated(search *s, int64_t at, int64_t b) {
  const hwb_arena *a = s->a;
  const int64_t *rank = s->g->rank;
  for (int64_t i = a->member_at[at]; i < a->member_at[at + 1]; i++) {
    int64_t c = a->member[i];
    if (c == b || !same_life(a, b, c)) continue;
    if (waits(s, c) && a->size[c] == a->size[b] && rank[c] < rank[b]) return 1;
    if (waits(s, c) || s->offset[c] + a->size[c] != s->low[b] || rank[c] < rank[b]) continue;
    add(blamed(s), c);
    return 1;
  }
  s->counter[WORK] += a->member_at[at + 1] - a->member_at[at];
  return 0;
}

/* The buffer with the next rank that could lie on the section's floor, −1 where there is none. */
static int64_t next_buffer(search *s) {
  const int64_t *f = frame(s), *list = s->list + s->a->member_at[f[SECTION]];
  int64_t best = -1;
  for (int64_t i = 0; i < s->on_floor[f[SECTION]]; i++) {
    int64_t rank = s->g->rank[list[i]];
    if (rank > f[TRIED] && (best < 0 || rank < s->g->rank[best])) best = list[i];
  }
  s->counter[WORK] += s->on_floor[f[SECTION]];
  return best;
}

/* What the lowest buffer of a section lies on at least where none lies on its floor; the reason gains those looked at. */
static int64_t next_level(search *s, int64_t at) {
  const hwb_arena *a = s->a;
  const int64_t *list = s->list + a->member_at[at];
  int64_t alive = a->member_at[at + 1] - a->member_at[at], level = INT64_MAX;
  if (s->on_floor[at] < alive) level = height(s, list[s->on_floor[at]]);
  for (int64_t i = 0; i < s->on_floor[at]; i++) {
    int64_t count = overlaps(a, list[i]);
    s->counter[WORK] += count;
    for (int64_t k = 0; k < count; k++) {
      int64_t c = neighbour(s, list[i], k);
      if (!waits(s, c) || (a->first[c] <= at && at < a->past[c])) continue;
      add(blamed(s), c);
      if (s->low[c] + a->size[c] < level) level = s->low[c] + a->size[c];
    }
  }
  return level;
}

/* Take the next way of the open decision; 0 where there is none left. */
static int decide(search *s) {
  int64_t *f = frame(s), at = f[SECTION], b;
  while ((b = next_buffer(s)) >= 0) {
    f[TRIED] = s->g->rank[b];
    if (is_repeated(s, at, b)) continue;
    place(s, b);
    return 1;
  }
  if (f[TRIED] == s->a->buffers || s->spare[at] <= 0) return 0;
  f[TRIED] = s->a->buffers;
  int64_t level = next_level(s, at);
  if (level - s->floor[at] > s->spare[at]) return 0;
  for (int64_t i = s->a->member_at[at]; i < s->a->member_at[at + 1]; i++) lift(s, s->a->member[i], level);
  return 1;
}

/* 1 where the changes since the open decision touch a buffer of the reason. */
static int concerns(const search *s) {
  for (int64_t i = frame(s)[MARK]; i < s->counter[TRAILED]; i++) {
    int64_t what = s->trail[2 * i];
    if (has(s->reason, what < 0 ? -1 - what : what)) return 1;
  }
  return 0;
}

/* Undo decisions up to one that the failure concerns; 0 where there is none. */
static int retreat(search *s) {
  for (;;) {
    int is_concerned = concerns(s);
    undo(s, frame(s)[MARK]);
    if (is_concerned) break;
    if (s->counter[DEPTH]-- == 0) return 0;
  }
  for (int64_t i = 0; i < s->words; i++) blamed(s)[i] |= s->reason[i];
  bound_all(s);
  return 1;
}

/* The open decision has failed in every way: go back to an earlier one. */
static int give_up(search *s) {
  memcpy(s->reason, blamed(s), (size_t)s->words * sizeof(int64_t));
  if (s->counter[DEPTH]-- == 0) return 0;
  return retreat(s);
}

/* 1 where the trail and the frames hold another decision whatever it changes. */
static int has_memory(const search *s) {
  return s->counter[DEPTH] + 1 < s->depths && s->counter[TRAILED] + s->a->buffers + 1 < s->trails;
}

static int64_t step(search *s) {
  s->counter[NODES]++;
  if (!decide(s)) return give_up(s) ? HWB_SEARCHING : HWB_IMPOSSIBLE;
  if (!bound_all(s)) return retreat(s) ? HWB_SEARCHING : HWB_IMPOSSIBLE;
  int64_t at = next_section(s);
  if (at < 0) return HWB_PLACED;
  if (!has_memory(s)) return HWB_NO_ROOM;
  s->counter[DEPTH]++;
  open_frame(s, at);
  return HWB_SEARCHING;
}

size_t hwb_search_scratch_bytes(const hwb_arena *a) {
  search s;
  int64_t nothing;
  return lay_out(&s, a, NULL, &nothing) * sizeof(int64_t);
}

void hwb_search_begin(const hwb_arena *a, const hwb_goal *g, int64_t *memory) {
  search s;
  lay_out(&s, a, g, memory);
  memset(s.counter, 0, COUNTERS * sizeof(int64_t));
  memset(s.stale, 0, (size_t)a->sections * sizeof(int64_t));
  for (int64_t at = 0; at < a->sections; at++) s.floor[at] = -1; /* so it stays where nothing lives */
  memcpy(s.list, a->member, (size_t)a->member_at[a->sections] * sizeof(int64_t));
  for (int64_t b = 0; b < a->buffers; b++) {
    s.low[b] = 0, s.offset[b] = -1;
    queue_sections(&s, b);
  }
  s.counter[RESULT] = bound_all(&s) ? HWB_SEARCHING : HWB_IMPOSSIBLE;
  if (s.counter[RESULT] == HWB_IMPOSSIBLE) return; /* sections behind the failure have no floor */
  int64_t at = next_section(&s);
  if (at < 0) s.counter[RESULT] = HWB_PLACED;
  else open_frame(&s, at);
}

int64_t hwb_search_run(const hwb_arena *a, const hwb_goal *g, int64_t *memory, int64_t work) {
  search s;
  lay_out(&s, a, g, memory);
  int64_t stop = s.counter[WORK] + work;
  while (s.counter[RESULT] == HWB_SEARCHING && s.counter[WORK] < stop) s.counter[RESULT] = step(&s);
  return s.counter[RESULT];
}

int64_t hwb_search_nodes(const int64_t *memory) { return memory[NODES]; }
int64_t hwb_search_work(const int64_t *memory) { return memory[WORK]; }
const int64_t *hwb_search_offsets(const int64_t *memory) { return memory + COUNTERS; }
