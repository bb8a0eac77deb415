/* Replay of the addresses that an array asks for: marks tell when a word was fetched last.

   A word is held where its mark is above the number of times that the buffer was cleared, so that clearing is one
   addition. */
#include <hwblocks/replay.h>

size_t hwb_replay_scratch_bytes(const hwb_replay *replay) { return (size_t)replay->n.words * sizeof(int32_t); }

/* One fold's rest, or as much of it as `left` accesses allow; returns what is left of them. */
static int64_t run_fold(const hwb_replay *r, hwb_replay_state *s, int32_t *marks, int64_t left) {
  const hwb_replay_numbers *n = &r->n;
  int64_t ports = hwb_min(n->ports, n->lanes - s->first_lane), span = hwb_min(n->span, n->steps - s->first_step);
  int64_t cycles = span + n->skew * (ports - 1), skew = n->skew;
  const int32_t *lane = r->lane + s->first_lane, *step = r->step + s->first_step;
  int64_t held = s->held, fetched = s->fetched, cycle = s->cycle;
  int32_t now = (int32_t)(s->cleared + 1);
  for (; cycle < cycles && left > 0; cycle++) {
    int64_t from = skew ? hwb_max(0, cycle - span + 1) : 0, past = skew ? hwb_min(ports, cycle + 1) : ports;
    left -= past - from;
    for (int64_t p = from; p < past; p++) {
      int32_t *mark = marks + lane[p] + step[cycle - p * skew];
      if (*mark >= now) continue;
      *mark = now;
      fetched++;
      if (++held == n->capacity) {
        held = 0;
        now++;
      }
    }
  }
  s->held = held, s->fetched = fetched, s->cycle = cycle, s->cleared = now - 1;
  if (cycle == cycles) s->cycle = -1;
  return left;
}

/* The fold after a finished one; returns 1 where there is none. */
static int next_fold(const hwb_replay_numbers *n, hwb_replay_state *s) {
  s->cycle = 0;
  if ((s->first_step += n->span) < n->steps) return 0;
  s->first_step = 0;
  int settled = s->cleared == s->at_repeat;
  s->at_repeat = s->cleared;
  if (!settled && ++s->repeat < n->repeats) return 0;
  s->repeat = 0;
  if ((s->first_lane += n->ports) < n->lanes) return 0;
  s->first_lane = 0;
  settled = s->cleared == s->at_pass;
  s->at_pass = s->cleared;
  return settled || ++s->pass >= n->passes;
}

int hwb_replay_run(const hwb_replay *replay, hwb_replay_state *state, int32_t *marks, int64_t most) {
  while (most > 0) {
    most = run_fold(replay, state, marks, most);
    if (state->cycle < 0 && next_fold(&replay->n, state)) return 1;
  }
  return 0;
}
