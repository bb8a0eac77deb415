/* LSTM in integers: 8-bit inputs and hidden state, 16-bit cell, gates by tables of every 16-bit code. */
#include "rows.h"
#include <hwblocks/gemmlowp.h>
#include <hwblocks/ops.h>
#include <string.h>

enum { GATES = 4, TOGETHER = HWB_TILE_ROWS };

static const int64_t no_offset[1] = {0};

/* Where each part of the scratch memory begins; `end` is its size. */
typedef struct {
  size_t x, h, fed, back, rows, end;
} layout;

static size_t aligned(int64_t bytes) { return ((size_t)bytes + 63) / 64 * 64; }

static layout layout_of(const hwb_lstm_numbers *n) {
  layout at = {0, 0, 0, 0, 0, 0};
  int64_t gates = GATES * n->units;
  at.h = at.x + aligned(TOGETHER * n->steps * 2 * n->x_pairs * 2 + HWB_SLACK);
  at.fed = at.h + aligned(TOGETHER * 2 * n->h_pairs * 2 + HWB_SLACK);
  at.back = at.fed + aligned(TOGETHER * n->steps * gates * 2);
  at.rows = at.back + aligned(TOGETHER * gates * 4);
  at.end = at.rows + aligned((TOGETHER * n->steps + HWB_TILE_ROWS) * (int64_t)sizeof(void *));
  return at;
}

size_t hwb_lstm_scratch_bytes(const void *parameters) {
  const hwb_lstm *lstm = parameters;
  return layout_of(&lstm->n).end;
}

static int64_t sixteen(int64_t v) { return v < INT16_MIN ? INT16_MIN : v > INT16_MAX ? INT16_MAX : v; }

/* A 32-bit product through one step. */
static int64_t stepped(const hwb_gate_step *step, int64_t v) {
  if (!step->multiplier) return (int16_t)(uint16_t)hwb_shift_away(v, step->shift);
  int64_t left = step->shift < 0 ? -step->shift : 0, right = step->shift > 0 ? step->shift : 0;
  int64_t moved = (int32_t)(uint32_t)(uint64_t)(v * ((int64_t)1 << left));
  return hwb_shift_away(hwb_high_product(moved, step->multiplier), right);
}

/* A gate's value of unit u: both parts added, limited, looked up. */
static int64_t gate(const hwb_lstm_numbers *n, const int16_t *table, const int16_t *fed, const int32_t *back, int64_t g,
                    int64_t u) {
  int64_t at = g * n->units + u;
  return table[sixteen((int64_t)fed[at] + back[at]) - INT16_MIN];
}

/* One time step of one sample: c and h in place, h also as output. */
static void unit_steps(const hwb_lstm *p, const int16_t *fed, const int32_t *back, int16_t *c, int8_t *h, int8_t *y) {
  const hwb_lstm_numbers *n = &p->n;
  int limits = n->kept.multiplier != 0;
  for (int64_t u = 0; u < n->units; u++) {
    int64_t forget = gate(n, p->sigmoid, fed, back, 0, u), enter = gate(n, p->sigmoid, fed, back, 1, u);
    int64_t candidate = gate(n, p->tanh, fed, back, 2, u), output = gate(n, p->sigmoid, fed, back, 3, u);
    int64_t kept = stepped(&n->kept, forget * c[u]), added = stepped(&n->added, enter * candidate);
    int64_t cell = sixteen(limits ? sixteen(kept) + sixteen(added) : kept + added);
    c[u] = (int16_t)hwb_max(-n->clip, hwb_min(n->clip, cell));
    int64_t code = stepped(&n->hidden, output * p->cell_tanh[c[u] - INT16_MIN]) + n->h_zero;
    y[u] = h[u] = (int8_t)(code < INT8_MIN ? INT8_MIN : code > INT8_MAX ? INT8_MAX : code);
  }
}

/* `count` samples through all time steps; h and c hold their states. */
static void samples_out(const hwb_op *op, const char *x, int64_t count, int8_t *y, int8_t *h, int16_t *c, char *scratch) {
  const hwb_lstm *p = op->parameters;
  const hwb_lstm_numbers *n = &p->n;
  layout at = layout_of(n);
  int64_t gates = GATES * n->units, x_row = 2 * n->x_pairs, h_row = 2 * n->h_pairs;
  int16_t *wide = (int16_t *)(void *)(scratch + at.x), *held = (int16_t *)(void *)(scratch + at.h);
  int16_t *fed = (int16_t *)(void *)(scratch + at.fed);
  int32_t *back = (int32_t *)(void *)(scratch + at.back);
  const void **rows = (const void **)(void *)(scratch + at.rows);
  hwb_rows from_x = {op->kernels, &p->fed, no_offset, HWB_SUMS_S32, 1, n->x_pairs, 0, 0, gates, gates, p->x_panels, 0};
  hwb_rows from_h = {op->kernels, &p->back, no_offset, HWB_SUMS_S32, 1, n->h_pairs, 0, 0, gates, gates, p->h_panels, 0};
  hwb_stats uncounted = {0, 0, 0, 0, 0, NULL};
  for (int64_t i = 0; i < count * n->steps; i++) {
    rows[i] = wide + i * x_row;
    op->kernels->widen(x + i * n->inputs * (int64_t)hwb_size_of(n->x_dtype), n->x_dtype, n->x_zero, wide + i * x_row,
                       n->inputs);
  }
  hwb_rows_out(&from_x, rows, count * n->steps, (char *)fed, &uncounted);
  for (int64_t i = 0; i < count; i++) rows[i] = held + i * h_row;
  for (int64_t t = 0; t < n->steps; t++) {
    for (int64_t i = 0; i < count; i++) op->kernels->widen(h + i * n->units, HWB_S8, n->h_zero, held + i * h_row, n->units);
    hwb_rows_out(&from_h, rows, count, (char *)back, &uncounted);
    for (int64_t i = 0; i < count; i++) {
      int64_t step = i * n->steps + t;
      unit_steps(p, fed + step * gates, back + i * gates, c + i * n->units, h + i * n->units, y + step * n->units);
    }
  }
}

int hwb_lstm_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_lstm *p = op->parameters;
  const hwb_lstm_numbers *c = &p->n;
  void *const *out = y;
  int64_t x_bytes = c->steps * c->inputs * (int64_t)hwb_size_of(c->x_dtype);
  int8_t *codes = out[0], *h = out[1];
  int16_t *cell = out[2];
  (void)stats;
  memcpy(h, in[1], (size_t)(n * c->units));
  memcpy(cell, in[2], (size_t)(n * c->units) * 2);
  memset(scratch, 0, layout_of(c).end);
  for (int64_t s = 0; s < n; s += TOGETHER)
    samples_out(op, (const char *)in[0] + s * x_bytes, hwb_min(TOGETHER, n - s), codes + s * c->steps * c->units,
                h + s * c->units, cell + s * c->units, scratch);
  return HWB_OK;
}
