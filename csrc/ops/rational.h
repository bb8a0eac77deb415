/* Exact rational values to codes. */
#ifndef HWBLOCKS_RATIONAL_H
#define HWBLOCKS_RATIONAL_H

#include <hwblocks/cast.h>

/* num / den rounded by the end's mode, plus its zero point, limited; den > 0, |num| and den < 2^126.
   The double quotient decides where it is far from a tie. */
static inline int64_t hwb_ratio_code(const hwb_cast_numbers *end, hwb_int128 num, hwb_int128 den, hwb_stats *stats) {
  int64_t nearest;
  if (!hwb_is_half(end->rounding) || !hwb_clear_nearest((double)num / (double)den, &nearest)) {
    hwb_int128 v = hwb_round_ratio(num, den, end->rounding);
    return hwb_limited(end, v + end->zero_point, stats);
  }
  return hwb_limited(end, (hwb_int128)nearest + end->zero_point, stats);
}

#endif
