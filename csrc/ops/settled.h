/* Rounding of values that doubles know nearly: the double decides where it is far from every point at which the
   rounding turns, a comparison with that point the rest. */
#ifndef HWBLOCKS_SETTLED_H
#define HWBLOCKS_SETTLED_H

#include <hwblocks/cast.h>

#define HWB_NEAREST_SHIFT 6755399441055744.0 /* 1.5 · 2^52: adding and taking it off rounds a double to a whole number */

/* The nearest whole number, ties to even; |x| < 2^51. */
static inline double hwb_nearest(double x) { return (x + HWB_NEAREST_SHIFT) - HWB_NEAREST_SHIFT; }

/* 1 where a value within `margin` of the estimate may lie on either side of a turn of the rounding. */
static inline int hwb_is_doubtful(double estimate, double margin, int64_t mode) {
  double rest = fabs(estimate - hwb_nearest(estimate));
  return (hwb_is_half(mode) ? fabs(rest - 0.5) : rest) <= margin;
}

/* The rounded value of an estimate that is not doubtful. */
static inline double hwb_settled(double estimate, int64_t mode) {
  double nearest = hwb_nearest(estimate);
  if (hwb_is_half(mode)) return nearest;
  return nearest - (nearest > estimate) + hwb_rounds_up(0, 0, 0, estimate < 0, mode);
}

/* The rounded value that lies at `halves` halves (side 0), just below (−1) or just above (1). */
static inline int64_t hwb_settled_at(int64_t halves, int side, int64_t mode) {
  int odd_half = (int)(halves & 1);
  int64_t whole = (halves - odd_half) / 2 - (!odd_half && side < 0);
  int half = odd_half ? side : side < 0 ? 1 : -1;
  return whole + hwb_rounds_up(!odd_half && side == 0, half, (int)(whole & 1), whole < 0, mode);
}

#endif
