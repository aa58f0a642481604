/**
 * float16 (IEEE 754 binary16) to and from float32, bfloat16 to float32, both as raw bits in 16-bit words. Rounding is to
 * nearest, ties to even; NaN stays NaN, values out of range become infinite, subnormals are kept.
 */

/** Float32 value of every float16, filled on first use (256 kB). */
let table: Float32Array | undefined

/**
 * float16 bits -> float32, element by element. `into` must be as long as `source`.
 *
 * @example
 * ```ts
 * import { halfToFloat } from "@fourtier/tensor"
 *
 * halfToFloat(Uint16Array.of(0x3c00, 0xc000)) // 1, -2
 * ```
 */
export function halfToFloat(source: Uint16Array, into = new Float32Array(source.length)): Float32Array {
  table ??= decodeAllHalves()
  const values = table
  for (let i = 0; i < source.length; i++) into[i] = values[source[i]]
  return into
}

/**
 * float32 -> float16 bits, element by element. `into` must be as long as `source`.
 *
 * @example
 * ```ts
 * import { floatToHalf } from "@fourtier/tensor"
 *
 * floatToHalf(Float32Array.of(1, -2)) // 0x3c00, 0xc000
 * ```
 */
export function floatToHalf(source: Float32Array, into = new Uint16Array(source.length)): Uint16Array {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length)
  for (let i = 0; i < bits.length; i++) into[i] = halfBits(bits[i])
  return into
}

/** bfloat16 bits -> float32, exact. */
export function bfloatToFloat(source: Uint16Array, into = new Float32Array(source.length)): Float32Array {
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length)
  for (let i = 0; i < source.length; i++) bits[i] = source[i] << 16
  return into
}

/** The value of float16 bits. */
export function fromHalf(bits: number): number {
  const exponent = (bits >>> 10) & 31
  const fraction = bits & 1023
  const sign = bits & 0x8000 ? -1 : 1
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x1ff)
  if (magnitude >= 0x47800000) return sign | 0x7c00
  if (magnitude >= 0x38800000) {
    // Normal: move the exponent's bias from 127 to 15, round 13 bits away; a carry runs into the exponent, up to infinity.
    const moved = magnitude - 0x38000000
    return sign | ((moved + 0xfff + ((moved >>> 13) & 1)) >>> 13)
  }
  if (magnitude <= 0x33000000) return sign
  // Subnormal: a multiple of 2^-24.
  const shift = 126 - (magnitude >>> 23)
  const significand = (magnitude & 0x7fffff) | 0x800000
  const floor = significand >>> shift
  const rest = significand & ((1 << shift) - 1)
  const tie = 1 << (shift - 1)
  return sign | (rest > tie || (rest === tie && (floor & 1) === 1) ? floor + 1 : floor)
}

function decodeAllHalves(): Float32Array {
  return Float32Array.from({ length: 65536 }, (_, bits) => fromHalf(bits))
}
