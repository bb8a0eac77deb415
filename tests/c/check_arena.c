/* First fit, exchanges and the search of an arena against trying every order, on exactly sized buffers. */
#include "check.h"
#include <hwblocks/arena.h>

enum { MOST = 40 };

/* An arena of buffers whose lives are sections as drawn; some sections are empty. */
typedef struct {
  hwb_arena a;
  int64_t *size, *first, *past, *starts, *member_at, *member;
} drawn;

static drawn draw_arena(int64_t n, int64_t sections, int64_t largest) {
  drawn d = {{n, sections, NULL, NULL, NULL, NULL, NULL, NULL},
             exact((size_t)n * 8), exact((size_t)n * 8), exact((size_t)n * 8),
             exact((size_t)(sections + 1) * 8), exact((size_t)(sections + 1) * 8), NULL};
  int64_t at = 0, count = 0;
  for (int64_t b = 0; b < n; b++) {
    at = draw(at, hwb_min(sections - 1, at + 1));
    d.first[b] = at, d.past[b] = draw(at + 1, sections), d.size[b] = draw(1, largest);
    count += d.past[b] - at;
  }
  d.member = exact((size_t)count * 8);
  count = 0;
  for (int64_t s = 0; s <= sections; s++) {
    d.starts[s] = 0, d.member_at[s] = count;
    for (int64_t b = 0; b < n; b++) {
      d.starts[s] += d.first[b] < s;
      if (d.first[b] <= s && s < d.past[b]) d.member[count++] = b;
    }
  }
  d.a.size = d.size, d.a.first = d.first, d.a.past = d.past;
  d.a.starts = d.starts, d.a.member_at = d.member_at, d.a.member = d.member;
  return d;
}

static void let_go(drawn *d) {
  free(d->size), free(d->first), free(d->past), free(d->starts), free(d->member_at), free(d->member);
}

static int together(const drawn *d, int64_t b, int64_t c) { return d->first[b] < d->past[c] && d->first[c] < d->past[b]; }

/* Bytes of the arena, −1 where two buffers overlap. */
static int64_t height_of(const drawn *d, const int64_t *offset) {
  int64_t height = 0;
  for (int64_t b = 0; b < d->a.buffers; b++) {
    for (int64_t c = 0; c < b; c++) {
      int apart = offset[b] >= offset[c] + d->size[c] || offset[c] >= offset[b] + d->size[b];
      if (together(d, b, c) && !apart) return -1;
    }
    height = hwb_max(height, offset[b] + d->size[b]);
  }
  return height;
}

/* The smallest arena that any order of stacking gives: every buffer right above those stacked before it. */
static int64_t smallest(const drawn *d, int64_t *offset, uint64_t stacked, int64_t height, int64_t best) {
  if (height >= best || stacked == (UINT64_C(1) << d->a.buffers) - 1) return hwb_min(height, best);
  for (int64_t b = 0; b < d->a.buffers; b++) {
    if (stacked >> b & 1) continue;
    offset[b] = 0;
    for (int64_t c = 0; c < d->a.buffers; c++)
      if (stacked >> c & 1 && together(d, b, c)) offset[b] = hwb_max(offset[b], offset[c] + d->size[c]);
    best = smallest(d, offset, stacked | UINT64_C(1) << b, hwb_max(height, offset[b] + d->size[b]), best);
  }
  return best;
}

static void draw_order(int64_t *order, int64_t n) {
  for (int64_t i = 0; i < n; i++) order[i] = i;
  for (int64_t i = n - 1; i > 0; i--) {
    int64_t j = draw(0, i), kept = order[i];
    order[i] = order[j], order[j] = kept;
  }
}

/* What a search within `capacity` comes to, in slices of few steps; a plan must hold what it promises. */
static int64_t search(const drawn *d, int64_t capacity, int64_t choice, int64_t most) {
  int64_t n = d->a.buffers, *rank = exact((size_t)n * 8), *memory = exact(hwb_search_scratch_bytes(&d->a)), result;
  draw_order(rank, n);
  memset(memory, 1, hwb_search_scratch_bytes(&d->a)); /* rubbish that could be read as floors */
  hwb_goal goal = {capacity, choice, rank};
  hwb_search_begin(&d->a, &goal, memory);
  do result = hwb_search_run(&d->a, &goal, memory, 100);
  while (result == HWB_SEARCHING && hwb_search_work(memory) < most);
  if (result == HWB_PLACED) {
    int64_t height = height_of(d, hwb_search_offsets(memory));
    expect(height >= 0 && height <= capacity, "placed", "ref", height, capacity);
  }
  free(rank), free(memory);
  return result;
}

static void check_small(int64_t choice) {
  int64_t n = draw(1, 7), offset[MOST];
  drawn d = draw_arena(n, draw(1, 6), draw(1, 9));
  int64_t best = smallest(&d, offset, 0, 0, INT64_MAX);
  expect_equal(search(&d, best, choice, INT64_MAX), HWB_PLACED, "search at the optimum", "ref");
  expect_equal(search(&d, best - 1, choice, INT64_MAX), HWB_IMPOSSIBLE, "search below it", "ref");
  let_go(&d);
}

static void check_large(int64_t choice) {
  int64_t n = draw(8, MOST), order[MOST], by_offset[MOST], offset[MOST];
  drawn d = draw_arena(n, draw(2, 20), draw(1, 50));
  draw_order(order, n);
  hwb_first_fit(&d.a, order, 0, n / 2, by_offset, offset);
  hwb_first_fit(&d.a, order, n / 2, n, by_offset, offset);
  int64_t fitted = height_of(&d, offset);
  expect(fitted > 0, "first fit", "ref", fitted, 1);
  uint64_t random = 1;
  int64_t *scratch = exact(hwb_exchange_scratch_bytes(&d.a));
  int64_t height = hwb_exchange(&d.a, order, offset, 50, 0, &random, scratch);
  expect(height == height_of(&d, offset) && height <= fitted, "exchanges", "ref", height, fitted);
  search(&d, height - 1, choice, 200000);
  expect_equal(search(&d, INT64_C(1) << 40, choice, INT64_MAX), HWB_PLACED, "search with room", "ref");
  free(scratch);
  let_go(&d);
}

static void check(const hwb_kernels *k) {
  (void)k; /* the planner is the same on every instruction set; its arithmetic must hold on each processor */
  for (int64_t choice = HWB_FEWEST; choice <= HWB_TIGHTEST; choice++)
    for (int round = 0; round < 100; round++) check_small(choice), check_large(choice);
}

int main(void) { return on_every_isa(check); }
