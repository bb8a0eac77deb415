/* Softmax of floats over the last axis, and its logarithm: float64 inside, one rounding to float32 at the end. */
#include <hwblocks/exponential.h>
#include <hwblocks/ops.h>

enum { TOGETHER = 64 }; /* elements whose powers lie in the first-level cache */

/* The largest of a row, or what is not finite where the whole row becomes NaN. */
static float largest_of(const float *x, int64_t length) {
  float top = x[0];
  for (int64_t i = 1; i < length; i++) top = x[i] > top || x[i] != x[i] ? x[i] : top;
  return top;
}

static void powers_of(const hwb_float_softmax *p, const float *x, double top, int64_t count, double *powers) {
  double beta = p->beta[0];
  for (int64_t i = 0; i < count; i++) powers[i] = hwb_power_of_e(beta * ((double)x[i] - top));
}

/* Σ in index order; the powers of the first elements stay in `powers`. */
static double sum_of(const hwb_float_softmax *p, const float *x, double top, double *powers) {
  double sum = 0, more[TOGETHER], *made = powers;
  for (int64_t i = 0; i < p->n.length; i += TOGETHER, made = more) {
    int64_t count = hwb_min(TOGETHER, p->n.length - i);
    powers_of(p, x + i, top, count, made);
    for (int64_t j = 0; j < count; j++) sum += made[j];
  }
  return sum;
}

static void quotients(const hwb_float_softmax *p, const float *x, double top, float *y) {
  double powers[TOGETHER], sum = sum_of(p, x, top, powers);
  for (int64_t i = 0; i < p->n.length; i += TOGETHER) {
    int64_t count = hwb_min(TOGETHER, p->n.length - i);
    if (i) powers_of(p, x + i, top, count, powers);
    for (int64_t j = 0; j < count; j++) y[i + j] = (float)(powers[j] / sum);
  }
}

static void logarithms(const hwb_float_softmax *p, const float *x, double top, float *y) {
  double powers[TOGETHER], log = hwb_natural_log(sum_of(p, x, top, powers));
  for (int64_t i = 0; i < p->n.length; i++) y[i] = (float)(((double)x[i] - top) - log);
}

int hwb_float_softmax_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch,
                          hwb_stats *stats) {
  const hwb_float_softmax *p = op->parameters;
  const float *x = in[0];
  float *out = y;
  (void)scratch;
  (void)stats;
  for (int64_t r = 0; r < n * p->n.rows; r++, x += p->n.length, out += p->n.length) {
    float top = largest_of(x, p->n.length);
    if (!isfinite(top))
      for (int64_t i = 0; i < p->n.length; i++) out[i] = NAN;
    else if (p->n.logarithm) logarithms(p, x, top, out);
    else quotients(p, x, top, out);
  }
  return HWB_OK;
}
