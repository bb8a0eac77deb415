/* Replays of address streams against plain loops that keep the list of held words; marks of the exact size, any slice. */
#include "check.h"
#include <hwblocks/replay.h>

enum { MOST = 40 };

typedef struct {
  int64_t count, fetched, capacity;
  int32_t held[MOST * 2 + 1];
} buffer;

static void ask(buffer *b, int32_t word) {
  for (int64_t i = 0; i < b->count; i++)
    if (b->held[i] == word) return;
  b->held[b->count++] = word;
  b->fetched++;
  if (b->count == b->capacity) b->count = 0;
}

static int64_t fetched(const hwb_replay *r, int64_t capacity, const int32_t *marks) {
  const hwb_replay_numbers *n = &r->n;
  buffer b = {.capacity = capacity};
  for (int64_t pass = 0; pass < n->passes; pass++)
    for (int64_t first = 0; first < n->lanes; first += n->ports)
      for (int64_t repeat = 0; repeat < n->repeats; repeat++)
        for (int64_t start = 0; start < n->steps; start += n->span)
          for (int64_t cycle = 0; cycle < n->span + n->ports; cycle++)
            for (int64_t port = 0; port < n->ports && first + port < n->lanes; port++) {
              int64_t at = cycle - port * n->skew;
              if (at < 0 || at >= n->span || start + at >= n->steps) continue;
              int32_t word = r->lane[first + port] + r->step[start + at];
              if (marks[word] != HWB_REPLAY_ABSENT) ask(&b, word);
            }
  return b.fetched;
}

static void check_one(const hwb_kernels *k) {
  int64_t lanes = draw(1, 20), steps = draw(1, 20), span = draw(0, 1) ? steps : draw(1, 25);
  hwb_replay r = {{lanes, steps, draw(1, 8), span, draw(0, 1), draw(1, 3), draw(1, 3), MOST, draw(1, MOST + 2)}, NULL, NULL};
  int32_t *lane = exact((size_t)lanes * 4), *step = exact((size_t)steps * 4), *marks = exact(hwb_replay_scratch_bytes(&r));
  for (int64_t i = 0; i < lanes; i++) lane[i] = (int32_t)draw(0, MOST / 2);
  for (int64_t i = 0; i < steps; i++) step[i] = (int32_t)draw(0, MOST / 2 - 1);
  for (int64_t i = 0; i < MOST; i++) marks[i] = draw(0, 9) ? 0 : HWB_REPLAY_ABSENT;
  r.lane = lane, r.step = step;
  int64_t wanted = fetched(&r, r.n.capacity, marks), most = draw(1, 50);
  hwb_replay_state state = {0};
  while (!hwb_replay_run(&r, &state, marks, most)) {}
  expect_equal(state.fetched, wanted, "words fetched", k->name);
  free(lane), free(step), free(marks);
}

static void check(const hwb_kernels *k) {
  for (int i = 0; i < 3000; i++) check_one(k);
}

int main(void) { return on_every_isa(check); }
