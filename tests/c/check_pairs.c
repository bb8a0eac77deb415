/* Pairs of 8-bit codes: the affine form and the table of every pair against their formulas, at every vector tail. */
#include "check.h"

static uint8_t *random_bytes(int64_t count) {
  uint8_t *x = exact((size_t)count);
  int64_t end = draw(0, 3) == 0 ? draw(0, 255) : -1;
  for (int64_t i = 0; i < count; i++) x[i] = (uint8_t)(end < 0 ? draw(0, 255) : end);
  return x;
}

/* Limits of a format of 4 to 8 bits and a fused clamp. */
static void draw_limits(hwb_pairs_numbers *p) {
  int64_t bits = draw(4, 8);
  p->a_dtype = draw(HWB_S8, HWB_U8), p->b_dtype = draw(HWB_S8, HWB_U8), p->out_dtype = draw(HWB_S8, HWB_U8);
  p->lo = p->out_dtype == HWB_S8 ? -((int64_t)1 << (bits - 1)) : 0;
  p->hi = p->lo + ((int64_t)1 << bits) - 1;
  p->clamp_lo = draw(0, 1) ? p->lo : draw(p->lo, p->hi);
  p->clamp_hi = draw(0, 1) ? p->hi : draw(p->clamp_lo, p->hi);
  p->counts_low = draw(0, 2) > 0, p->counts_high = draw(0, 2) > 0;
}

/* Factors from a fraction of a code to some hundred codes, of either sign, and an addend of about the output's range. */
static void draw_affine(hwb_pairs_numbers *p) {
  int64_t size = hwb_min((int64_t)1 << draw(20, 31), INT32_MAX - 32767);
  p->left = draw(0, 1) ? 0 : draw(1, 15);
  p->a_factor = draw(-size + 1, size - 1), p->b_factor = draw(-size + 1, size - 1);
  int64_t most = (int64_t)1 << (draw(0, 3) ? 40 : 45 + p->left);
  p->addend = draw(-most, most);
}

static int64_t limited(const hwb_pairs_numbers *p, int64_t v, int64_t *counted) {
  *counted += v < p->lo ? p->counts_low : v > p->hi ? p->counts_high : 0;
  v = v < p->lo ? p->lo : v > p->hi ? p->hi : v;
  return v < p->clamp_lo ? p->clamp_lo : v > p->clamp_hi ? p->clamp_hi : v;
}

/* `value` of each pair through the op. */
static void check_op(const hwb_kernels *k, const hwb_pairs_op *p, int64_t samples, const char *what,
                     int64_t (*value)(const hwb_pairs_op *, int64_t, int64_t)) {
  int64_t count = samples * p->n.count, counted = 0;
  uint8_t *a = random_bytes(count), *b = random_bytes(count), *y = exact((size_t)count);
  const void *in[2] = {a, p->n.inputs == 2 ? (const void *)b : NULL};
  hwb_op op = {hwb_pairs_run, k, p, 0};
  hwb_stats stats = fresh(1);
  expect_equal(op.run(&op, in, y, samples, NULL, &stats), HWB_OK, "status", k->name);
  for (int64_t i = 0; i < count; i++) {
    const void *second = p->n.inputs == 2 ? b : a;
    int64_t v = value(p, hwb_load(a, p->n.p.a_dtype, i), hwb_load(second, p->n.p.b_dtype, i));
    expect_equal(hwb_load(y, p->n.p.out_dtype, i), limited(&p->n.p, v, &counted), what, k->name);
  }
  expect_equal(stats.saturated, counted, what, k->name);
  free(a);
  free(b);
  free(y);
}

static int64_t by_form(const hwb_pairs_op *p, int64_t a, int64_t b) {
  const hwb_pairs_numbers *n = &p->n.p;
  hwb_int128 sum = (hwb_int128)a * n->a_factor + (hwb_int128)b * n->b_factor;
  return (int64_t)floor_div(sum * ((hwb_int128)1 << n->left) + n->addend, (hwb_int128)1 << 32);
}

static int64_t by_table(const hwb_pairs_op *p, int64_t a, int64_t b) {
  int64_t row = p->n.p.a_dtype == HWB_S8 ? a + 128 : a, column = p->n.p.b_dtype == HWB_S8 ? b + 128 : b;
  return p->table[row * 256 + column];
}

static void check_pairs(const hwb_kernels *k) {
  int16_t *table = exact(256 * 256 * 2);
  for (int64_t i = 0; i < 256 * 256; i++) table[i] = (int16_t)draw(-400, 400);
  for (int round = 0; round < 20; round++)
    for (int64_t count = 1; count <= 70; count++) {
      hwb_pairs_op p;
      memset(&p, 0, sizeof p);
      p.n.count = count, p.n.inputs = draw(1, 2);
      draw_limits(&p.n.p);
      draw_affine(&p.n.p);
      check_op(k, &p, draw(1, 3), "pairs by the affine form", by_form);
      p.table = table;
      check_op(k, &p, draw(1, 3), "pairs by a table", by_table);
    }
  free(table);
}

int main(void) { return on_every_isa(check_pairs); }
