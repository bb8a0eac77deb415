/* NEON widening of stored codes to centred int16, and their offset to uint8. */
#include <arm_neon.h>
#include <hwblocks/kernels.h>

static inline int16x8_t load8(const void *x, int64_t dtype, int64_t i) {
  switch (dtype) {
  case HWB_S8: return vmovl_s8(vld1_s8((const int8_t *)x + i));
  case HWB_U8: return vreinterpretq_s16_u16(vmovl_u8(vld1_u8((const uint8_t *)x + i)));
  default: return vld1q_s16((const int16_t *)x + i);
  }
}

void hwb_widen__neon(const void *x, int64_t dtype, int64_t zero, int16_t *y, int64_t n) {
  int16x8_t z = vdupq_n_s16((int16_t)zero);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) vst1q_s16(y + i, vsubq_s16(load8(x, dtype, i), z));
  for (; i < n; i++) y[i] = (int16_t)(hwb_load(x, dtype, i) - zero);
}

void hwb_offset__neon(const void *x, int64_t dtype, uint8_t *y, int64_t n) {
  uint8_t flip = dtype == HWB_S8 ? 0x80 : 0; /* adding 128 changes the highest bit alone */
  const uint8_t *from = x;
  uint8x16_t flips = vdupq_n_u8(flip);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) vst1q_u8(y + i, veorq_u8(vld1q_u8(from + i), flips));
  for (; i < n; i++) y[i] = from[i] ^ flip;
}
