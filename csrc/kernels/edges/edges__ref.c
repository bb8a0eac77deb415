/* Reference rounding of floats to codes. */
#include <hwblocks/edge_codes.h>

int64_t hwb_edge_codes__ref(const hwb_quick_edge *p, const float *x, int64_t n, void *y, int64_t *outside) {
  return hwb_edge_codes(p, x, n, y, outside);
}
