/* Softmax of kept elements and selection by masks against plain loops, on exactly sized buffers. */
#include "check.h"

enum { ENTRIES = 1 << 16 };

/* A mask of one sample in bytes, and which of them each element reads (NULL: its own). */
typedef struct {
  uint8_t *bytes;
  int64_t *index, count;
  int is_constant;
} mask_case;

static mask_case draw_mask(int64_t elements, int64_t samples) {
  mask_case m;
  int broadcasts = (int)draw(0, 1);
  m.is_constant = (int)draw(0, 1);
  m.count = broadcasts ? draw(1, elements) : elements;
  int64_t bytes = m.count * (m.is_constant ? 1 : samples);
  m.bytes = exact((size_t)bytes);
  for (int64_t i = 0; i < bytes; i++) m.bytes[i] = (uint8_t)draw(0, 1);
  m.index = broadcasts ? exact((size_t)elements * 8) : NULL;
  for (int64_t i = 0; broadcasts && i < elements; i++) m.index[i] = draw(0, m.count - 1);
  return m;
}

static int is_kept(const mask_case *m, int64_t sample, int64_t i) {
  return m->bytes[(m->is_constant ? 0 : sample * m->count) + (m->index ? m->index[i] : i)];
}

static void release(mask_case *m) {
  free(m->bytes);
  free(m->index);
}

/* Output in 1/256, half to even, as an int16 that nothing limits. */
static hwb_cast_numbers plain_end(void) {
  hwb_cast_numbers end;
  memset(&end, 0, sizeof end);
  end.rounding = HWB_HALF_EVEN;
  end.zero_point = draw(-9, 9);
  end.bits = 64, end.is_signed = 1;
  end.lo = end.clamp_lo = INT16_MIN, end.hi = end.clamp_hi = INT16_MAX;
  end.out_dtype = HWB_S16;
  return end;
}

static int64_t half_even(int64_t num, int64_t den) {
  int64_t low = num / den, rest = num % den;
  return low + (2 * rest > den || (2 * rest == den && low % 2));
}

static void check_masked_softmax(const hwb_kernels *k, int64_t dtype) {
  int64_t rows = draw(1, 4), length = draw(1, 33), n = draw(1, 3), ratio[4] = {256, 0, 1, 0}, size = rows * length;
  int64_t *table = exact(ENTRIES * 8);
  for (int64_t d = 0; d < ENTRIES; d++) table[d] = d ? draw(0, 1 << 30) : 1 << 30;
  mask_case m = draw_mask(size, n);
  hwb_masked_softmax p = {{plain_end(), dtype, rows, length, m.count}, table, ratio, m.index, m.is_constant ? m.bytes : NULL};
  void *x = exact((size_t)(n * size) * hwb_size_of(dtype));
  for (int64_t i = 0; i < n * size; i++) hwb_store(x, dtype, i, draw(-100, 100));
  int16_t *y = exact((size_t)(n * size) * 2);
  const void *in[2] = {x, m.bytes};
  hwb_stats stats = fresh(1);
  hwb_op op = {hwb_masked_softmax_run, k, &p, 0};
  expect_equal(op.run(&op, in, y, n, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t r = 0; r < n * rows; r++) {
    int64_t most = INT64_MIN, sum = 0, first = r % rows * length;
    for (int64_t i = 0; i < length; i++)
      if (is_kept(&m, r / rows, first + i)) most = hwb_max(most, hwb_load(x, dtype, r * length + i));
    for (int64_t i = 0; i < length; i++)
      if (is_kept(&m, r / rows, first + i)) sum += table[most - hwb_load(x, dtype, r * length + i)];
    for (int64_t i = 0; i < length; i++) {
      int kept = is_kept(&m, r / rows, first + i);
      int64_t share = kept ? half_even(table[most - hwb_load(x, dtype, r * length + i)] * 256, sum) : 0;
      expect_equal(y[r * length + i], share + p.n.end.zero_point, "masked softmax", k->name);
    }
  }
  free(table);
  free(x);
  free(y);
  release(&m);
}

/* One operand: run-time codes, of which each output reads one, or a constant. */
typedef struct {
  int16_t *codes;
  int64_t *index, *constant, count;
} source_case;

static source_case draw_source(int64_t outputs, int64_t samples) {
  source_case s = {NULL, NULL, NULL, draw(1, outputs)};
  s.codes = exact((size_t)(s.count * samples) * 2);
  s.index = exact((size_t)outputs * 8);
  for (int64_t i = 0; i < s.count * samples; i++) s.codes[i] = (int16_t)draw(INT16_MIN, INT16_MAX);
  for (int64_t i = 0; i < outputs; i++) s.index[i] = draw(0, s.count - 1);
  if (draw(0, 2)) return s;
  s.constant = exact((size_t)outputs * 8);
  for (int64_t i = 0; i < outputs; i++) s.constant[i] = draw(INT16_MIN, INT16_MAX);
  return s;
}

static int64_t code_of(const source_case *s, int64_t sample, int64_t i) {
  return s->constant ? s->constant[i] : s->codes[sample * s->count + s->index[i]];
}

static void check_select(const hwb_kernels *k) {
  int64_t count = draw(1, 40), n = draw(1, 4);
  mask_case m = draw_mask(count, n);
  source_case a = draw_source(count, n), b = draw_source(count, n);
  hwb_select p = {{HWB_S16, count, m.count, a.count, b.count}, m.index, a.index, b.index,
                  m.is_constant ? m.bytes : NULL, a.constant, b.constant};
  const void *in[3] = {NULL, NULL, NULL};
  int used = 0;
  if (!m.is_constant) in[used++] = m.bytes;
  if (!a.constant) in[used++] = a.codes;
  if (!b.constant) in[used] = b.codes;
  int16_t *y = exact((size_t)(n * count) * 2);
  hwb_stats stats = fresh(1);
  hwb_op op = {hwb_select_run, k, &p, 0};
  expect_equal(op.run(&op, in, y, n, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < n * count; i++) {
    int kept = is_kept(&m, i / count, i % count);
    expect_equal(y[i], code_of(kept ? &a : &b, i / count, i % count), "select", k->name);
  }
  source_case *sources[2] = {&a, &b};
  for (int s = 0; s < 2; s++) {
    free(sources[s]->codes);
    free(sources[s]->index);
    free(sources[s]->constant);
  }
  free(y);
  release(&m);
}

static void check_masked(const hwb_kernels *k) {
  for (int round = 0; round < 40; round++) {
    check_masked_softmax(k, round % 2 ? HWB_S8 : HWB_S16);
    check_select(k);
  }
}

int main(void) { return on_every_isa(check_masked); }
