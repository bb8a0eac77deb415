/* Gates by scores, positions of extremes, and the k largest codes. */
#include <hwblocks/picks.h>

static int is_kept(const hwb_gate *p, const uint8_t *mask, int64_t i) {
  return !mask || mask[p->keep_index ? p->keep_index[i] : i] != 0;
}

/* The only open gate of a row of x that starts at `start` of its sample, which begins at `sample`; −1: none is kept. */
static int64_t first_largest(const hwb_gate *p, const void *x, const uint8_t *mask, int64_t sample, int64_t start) {
  int64_t best = -1, most = 0;
  for (int64_t i = start; i < start + p->n.length; i++) {
    int64_t code = hwb_load(x, p->n.x_dtype, sample + i);
    if (is_kept(p, mask, i) && (best < 0 || code > most)) best = i, most = code;
  }
  return best;
}

static int is_open(const hwb_gate *p, const void *x, const uint8_t *mask, int64_t sample, int64_t i, int64_t best) {
  if (!p->n.by_threshold) return i == best;
  return is_kept(p, mask, i) && hwb_load(x, p->n.x_dtype, sample + i) >= p->n.threshold;
}

static void gate_row(const hwb_gate *p, const void *x, const uint8_t *mask, int64_t sample, int64_t start, void *y,
                     hwb_stats *stats) {
  const hwb_gate_numbers *n = &p->n;
  int64_t best = n->by_threshold ? -1 : first_largest(p, x, mask, sample, start), open = 0;
  for (int64_t i = start; i < start + n->length; i++) open += is_open(p, x, mask, sample, i, best);
  for (int64_t i = start; i < start + n->length; i++) {
    int64_t entry = is_open(p, x, mask, sample, i, best) ? (n->average ? open : 1) : 0;
    stats->saturated += p->counts[entry];
    stats->outside += n->counted && p->codes[entry] != n->zero_point;
    hwb_store(y, n->out_dtype, sample + i, p->codes[entry]);
  }
}

int hwb_gate_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_gate *p = op->parameters;
  int64_t size = p->n.rows * p->n.length;
  (void)scratch;
  for (int64_t s = 0; s < n; s++) {
    const uint8_t *mask = p->keep;
    if (!mask && p->n.keep_count) mask = (const uint8_t *)in[1] + s * p->n.keep_count;
    for (int64_t r = 0; r < p->n.rows; r++) gate_row(p, in[0], mask, s * size, r * p->n.length, y, stats);
  }
  return HWB_OK;
}

int hwb_position_run(const hwb_op *op, const void *const *in, void *y, int64_t count, void *scratch, hwb_stats *stats) {
  const hwb_position_numbers *n = op->parameters;
  (void)scratch;
  (void)stats;
  for (int64_t o = 0; o < count * n->outer; o++)
    for (int64_t i = 0; i < n->inner; i++) {
      int64_t found = 0, best = hwb_load(in[0], n->x_dtype, o * n->length * n->inner + i);
      for (int64_t r = 1; r < n->length; r++) {
        int64_t code = hwb_load(in[0], n->x_dtype, (o * n->length + r) * n->inner + i);
        int better = n->largest ? code > best : code < best;
        if (better || (n->last && code == best)) found = r, best = code;
      }
      hwb_store(y, n->out_dtype, o * n->inner + i, found);
    }
  return HWB_OK;
}

size_t hwb_ranking_scratch_bytes(const void *parameters) {
  const hwb_ranking_numbers *n = parameters;
  return 2 * (size_t)n->k * sizeof(int64_t);
}

/* Insert a code that comes after all in the list of `held`, which it keeps sorted and at most k long. */
static int64_t ranked(const hwb_ranking_numbers *n, int64_t *codes, int64_t *places, int64_t held, int64_t code,
                      int64_t place) {
  int64_t at = held;
  while (at > 0 && (n->largest ? code > codes[at - 1] : code < codes[at - 1])) at--;
  if (at == n->k) return held;
  int64_t kept = hwb_min(held, n->k - 1);
  for (int64_t i = kept; i > at; i--) codes[i] = codes[i - 1], places[i] = places[i - 1];
  codes[at] = code, places[at] = place;
  return kept + 1;
}

int hwb_ranking_run(const hwb_op *op, const void *const *in, void *y, int64_t count, void *scratch, hwb_stats *stats) {
  const hwb_ranking_numbers *n = op->parameters;
  void *const *outputs = y;
  int64_t *codes = scratch, *places = codes + n->k;
  (void)stats;
  for (int64_t o = 0; o < count * n->outer; o++)
    for (int64_t i = 0; i < n->inner; i++) {
      int64_t held = 0;
      for (int64_t r = 0; r < n->length; r++) {
        int64_t code = hwb_load(in[0], n->x_dtype, (o * n->length + r) * n->inner + i);
        held = ranked(n, codes, places, held, code, r);
      }
      for (int64_t r = 0; r < n->k; r++) {
        hwb_store(outputs[0], n->x_dtype, (o * n->k + r) * n->inner + i, codes[r]);
        hwb_store(outputs[1], n->index_dtype, (o * n->k + r) * n->inner + i, places[r]);
      }
    }
  return HWB_OK;
}
