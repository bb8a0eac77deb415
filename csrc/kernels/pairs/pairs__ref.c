/* Reference pairs of 8-bit codes: the affine form, element by element. */
#include <hwblocks/kernels.h>

void hwb_pairs__ref(const hwb_pairs_numbers *p, const void *a, const void *b, int64_t n, void *y, hwb_stats *stats) {
  for (int64_t i = 0; i < n; i++) {
    int64_t sum = hwb_load(a, p->a_dtype, i) * p->a_factor + hwb_load(b, p->b_dtype, i) * p->b_factor;
    int64_t v = (sum * ((int64_t)1 << p->left) + p->addend) >> 32;
    stats->saturated += v < p->lo ? p->counts_low : v > p->hi ? p->counts_high : 0;
    hwb_store(y, p->out_dtype, i, hwb_max(p->clamp_lo, hwb_min(p->clamp_hi, v)));
  }
}
