/* Lines: casts to codes of at most 8 bits as one multiply-add of floats, found and proven when a cast is bound.

   A cast never falls where its sum rises, and neither does a line y = nearest(fma((float)(v + shift), slope, offset)).
   So the two are equal for every sum as soon as they are equal at both ends of each run of sums with the same code:
   some 500 sums instead of millions. Of floats near the real slope one pair is looked for that passes; rounding leaves a
   doubt of about 2^-18 beside a step of `slope` from sum to sum, so that slopes above about 1/1000 nearly always pass. */
#include <hwblocks/lines.h>
#include <math.h>

enum { MOST_LEVELS = 258, MOST_POINTS = 2 * MOST_LEVELS + 4, SLOPES = 9, OFFSETS = 8, MOST_MOVES = 64 };

/* A sum, and the level that its code has: codes from below the first one that matters to the last. */
typedef struct {
  int64_t sum;
  double level;
} point;

typedef struct {
  const hwb_cast *cast;
  int64_t bound, centre;
  int64_t first, last; /* levels, the codes below `first` being one level and those above `last` too */
  int64_t channel, shift;
  double slope;
  int64_t count;
  point points[MOST_POINTS];
} finder;

/* The level of a sum, by the definition. */
static int64_t level_of(const finder *f, int64_t sum) {
  const hwb_cast_numbers *n = &f->cast->n;
  hwb_int128 y = hwb_scaled(f->cast, sum, f->channel) + (n->zero_inside ? 0 : n->zero_point) - f->centre;
  return y < f->first - 1 ? f->first - 1 : y > f->last ? f->last : (int64_t)y;
}

/* The least sum of a level, from `guess` on; bound + 1 where there is none; below −bound where it is too far away. */
static int64_t threshold(const finder *f, int64_t level, int64_t guess) {
  int64_t t = hwb_max(-f->bound, hwb_min(guess, f->bound + 1)), moves = 0;
  while (t > -f->bound && level_of(f, t - 1) >= level && moves++ < MOST_MOVES) t--;
  while (t <= f->bound && level_of(f, t) < level && moves++ < MOST_MOVES) t++;
  return moves > MOST_MOVES ? -f->bound - 1 : t;
}

static void add_point(finder *f, int64_t sum) {
  f->points[f->count++] = (point){sum, (double)level_of(f, sum)};
}

/* Both ends of every run of sums with the same level, runs ending at 0 too. Returns 0 where a threshold is not found. */
static int gather_points(finder *f) {
  int64_t zero = f->cast->n.zero_point - f->centre;
  f->count = 0;
  add_point(f, -f->bound);
  for (int64_t level = f->first; level <= f->last; level++) {
    double guess = ceil(((double)(level - zero) - 0.5) / f->slope);
    int64_t t = threshold(f, level, (int64_t)fmax(fmin(guess, 4e9), -4e9));
    if (t < -f->bound) return 0;
    if (t == -f->bound || t > f->bound) continue;
    add_point(f, t - 1);
    add_point(f, t);
  }
  add_point(f, f->bound);
  if (f->bound > 0) add_point(f, -1);
  add_point(f, 0);
  return 1;
}

/* 1 where the nearest integer of y, ties to even, has the level. */
static int has_level(const finder *f, double y, double level) {
  int even = fmod(level, 2) == 0;
  int reaches = level < (double)f->first || y > level - 0.5 || (even && y == level - 0.5);
  int stays = level == (double)f->last || y < level + 0.5 || (even && y == level + 0.5);
  return reaches && stays;
}

/* The points that a line must pass: all, those of sums below zero, or the others. */
enum side { BOTH = 0, BELOW, ABOVE };
static int concerns(enum side side, const point *p) { return side == BOTH || (p->sum < 0) == (side == BELOW); }

static float at(const finder *f, int64_t sum, float slope, float offset) {
  return fmaf((float)(int32_t)(sum + f->shift), slope, offset);
}

static int passes(const finder *f, enum side side, float slope, float offset) {
  for (int64_t i = 0; i < f->count; i++) {
    const point *p = &f->points[i];
    if (concerns(side, p) && !has_level(f, (double)at(f, p->sum, slope, offset), p->level)) return 0;
  }
  return 1;
}

/* The offsets that would do for this slope if floats were exact, as their lowest and highest. */
static void window_of(const finder *f, enum side side, float slope, double *low, double *high) {
  *low = -INFINITY, *high = INFINITY;
  for (int64_t i = 0; i < f->count; i++) {
    const point *p = &f->points[i];
    if (!concerns(side, p)) continue;
    double rise = p->level - (double)slope * (double)(p->sum + f->shift);
    if (p->level >= (double)f->first) *low = fmax(*low, rise - 0.5);
    if (p->level < (double)f->last) *high = fmin(*high, rise + 0.5);
  }
  if (*low == -INFINITY && *high == INFINITY) *low = *high = 0;
  if (*low == -INFINITY) *low = *high - f->slope;
  if (*high == INFINITY) *high = *low + f->slope;
}

/* An offset with which the slope passes. What rounding does may also help just outside the window. */
static int find_offset(const finder *f, enum side side, float slope, float *offset) {
  const double golden = 0.6180339887498949, doubt = 0x1p-18;
  double low, high;
  window_of(f, side, slope, &low, &high);
  if (high - low < -doubt) return 0;
  low -= doubt / 2, high += doubt / 2;
  for (int64_t j = 0; j < OFFSETS; j++) {
    *offset = (float)(low + (high - low) * fmod(0.5 + (double)j * golden, 1.0));
    if (passes(f, side, slope, *offset)) return 1;
  }
  return 0;
}

/* The i-th float from the real slope: nearest, next above, next below, ... */
static float slope_near(double slope, int64_t i) {
  float s = (float)slope;
  for (int64_t j = 0; j < (i + 1) / 2; j++) s = nextafterf(s, i % 2 ? INFINITY : 0.0f);
  return s;
}

/* 1 where every sum becomes an integer of 32 bits. */
static int stays_within(const finder *f, float slope, float offset) {
  float reach = fmaxf(fabsf(at(f, -f->bound, slope, offset)), fabsf(at(f, f->bound, slope, offset)));
  return reach < 2147483520.0f; /* the largest float below 2^31 */
}

/* One line for all sums, or one for those below zero and one for the others. Returns how many, 0 for none. */
static int64_t find_line(const finder *f, float *slope, float *offset, float *below) {
  for (int64_t lines = 1; lines <= 2; lines++)
    for (int64_t i = 0; i < SLOPES; i++) {
      *slope = slope_near(f->slope, i);
      int found = find_offset(f, lines == 1 ? BOTH : ABOVE, *slope, offset);
      if (lines == 1) *below = *offset;
      else found = found && find_offset(f, BELOW, *slope, below);
      if (found && stays_within(f, *slope, *offset) && stays_within(f, *slope, *below)) return lines;
    }
  return 0;
}

/* 1 where a channel is cast like the one before it. */
static int repeats(const hwb_cast *c, int64_t channel, const double *slopes) {
  int64_t i = channel, j = channel - 1;
  if (i == 0 || slopes[i] != slopes[j]) return 0;
  if (c->n.scheme == HWB_EXACT)
    return hwb_two_words(c->numerator, i) == hwb_two_words(c->numerator, j) &&
           hwb_two_words(c->denominator, i) == hwb_two_words(c->denominator, j);
  return c->multiplier[i] == c->multiplier[j] && c->shift[i] == c->shift[j] && c->scale32[i] == c->scale32[j] &&
         c->scale64[i] == c->scale64[j];
}

static void copy_line(const hwb_lines *y, int64_t to, int64_t from) {
  y->shift[to] = y->shift[from], y->slope[to] = y->slope[from];
  y->offset[to] = y->offset[from], y->below[to] = y->below[from];
}

/* The line of one channel, or slope 0; returns how many. Results near 0 are the most exact, so the shift takes what it can
   of the zero point. */
static int64_t channel_out(finder *f, const hwb_lines *y) {
  int64_t i = f->channel, lines = 0;
  double shift = f->slope > 0 ? nearbyint((double)(f->cast->n.zero_point - f->centre) / f->slope) : INFINITY;
  int fits = fabs(shift) + (double)f->bound < 2147483647.0;
  f->shift = fits ? (int64_t)shift : 0;
  if (fits && gather_points(f)) lines = find_line(f, &y->slope[i], &y->offset[i], &y->below[i]);
  y->shift[i] = (int32_t)f->shift;
  if (!lines) y->slope[i] = y->offset[i] = y->below[i] = 0;
  return lines;
}

int64_t hwb_find_lines(const hwb_cast *cast, int64_t channels, int64_t bound, const double *slopes, const hwb_lines *y) {
  const hwb_cast_numbers *n = &cast->n;
  int64_t most = 0, centre = n->out_dtype == HWB_U8 ? HWB_LINE_CENTRE : 0;
  finder f = {.cast = cast, .bound = bound, .centre = centre};
  f.first = (n->counts_low ? n->lo : n->clamp_lo + 1) - centre;
  f.last = (n->counts_high ? n->hi + 1 : n->clamp_hi) - centre;
  if (f.last - f.first + 1 > MOST_LEVELS) return 0;
  for (int64_t i = 0; i < channels; i++) {
    f.channel = i, f.slope = slopes[i];
    if (repeats(cast, i, slopes)) copy_line(y, i, i - 1);
    else most = hwb_max(most, channel_out(&f, y));
  }
  return most;
}
