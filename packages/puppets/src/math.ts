/**
 * Vectors and rotations of the puppet renderer: y is up, metres, right-handed. Sine and cosine are polynomials in plain
 * arithmetic, so that equal seeds give equal pixels in every JavaScript engine.
 */

export type Vec = readonly [x: number, y: number, z: number]

/** A rotation as its three column vectors: where the x, y and z axes point. */
export interface Basis {
  readonly x: Vec
  readonly y: Vec
  readonly z: Vec
}

const TURN = 2 * Math.PI
export const DEGREE = Math.PI / 180

/** Sine, within 1e-7, of an angle in radians. */
export function sin(angle: number): number {
  let x = angle - TURN * Math.round(angle / TURN)
  if (x > Math.PI / 2) x = Math.PI - x
  else if (x < -Math.PI / 2) x = -Math.PI - x
  const s = x * x
  return x * (1 + s * (-1 / 6 + s * (1 / 120 + s * (-1 / 5040 + s * (1 / 362880 - s / 39916800)))))
}

export function cos(angle: number): number {
  return sin(angle + Math.PI / 2)
}

export function clamp(x: number, low: number, high: number): number {
  return x < low ? low : x > high ? high : x
}

export function mix(a: number, b: number, amount: number): number {
  return a + (b - a) * amount
}

/** Hermite step from 0 at `low` to 1 at `high`. */
export function smoothstep(low: number, high: number, x: number): number {
  const t = clamp((x - low) / (high - low), 0, 1)
  return t * t * (3 - 2 * t)
}

/** Minimum-jerk ease from 0 to 1 (Flash & Hogan 1985): how a hand moves between two points of rest. */
export function minimumJerk(t: number): number {
  const x = clamp(t, 0, 1)
  return x * x * x * (10 + x * (6 * x - 15))
}

export function add(a: Vec, b: Vec): Vec {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

export function sub(a: Vec, b: Vec): Vec {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

export function scale(a: Vec, k: number): Vec {
  return [a[0] * k, a[1] * k, a[2] * k]
}

/** a + k·b */
export function along(a: Vec, b: Vec, k: number): Vec {
  return [a[0] + b[0] * k, a[1] + b[1] * k, a[2] + b[2] * k]
}

export function lerp(a: Vec, b: Vec, k: number): Vec {
  return [mix(a[0], b[0], k), mix(a[1], b[1], k), mix(a[2], b[2], k)]
}

export function dot(a: Vec, b: Vec): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

export function cross(a: Vec, b: Vec): Vec {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

export function length(a: Vec): number {
  return Math.sqrt(dot(a, a))
}

export function distance(a: Vec, b: Vec): number {
  return length(sub(a, b))
}

/** `a` at length 1; `fallback` where `a` has none. */
export function unit(a: Vec, fallback: Vec = [0, 1, 0]): Vec {
  const size = length(a)
  return size > 1e-9 ? scale(a, 1 / size) : fallback
}

/** The part of `a` at right angles to the unit vector `axis`, at length 1. */
export function perpendicular(a: Vec, axis: Vec, fallback: Vec = [1, 0, 0]): Vec {
  return unit(along(a, axis, -dot(a, axis)), fallback)
}

/** `a` turned about the unit vector `axis` (Rodrigues). */
export function turn(a: Vec, axis: Vec, angle: number): Vec {
  const c = cos(angle)
  const rotated = along(scale(a, c), cross(axis, a), sin(angle))
  return along(rotated, axis, dot(axis, a) * (1 - c))
}

export const IDENTITY: Basis = { x: [1, 0, 0], y: [0, 1, 0], z: [0, 0, 1] }

/** Takes `v` from the basis' coordinates to the world's. */
export function apply(m: Basis, v: Vec): Vec {
  return [
    m.x[0] * v[0] + m.y[0] * v[1] + m.z[0] * v[2],
    m.x[1] * v[0] + m.y[1] * v[1] + m.z[1] * v[2],
    m.x[2] * v[0] + m.y[2] * v[1] + m.z[2] * v[2],
  ]
}

export function compose(outer: Basis, inner: Basis): Basis {
  return { x: apply(outer, inner.x), y: apply(outer, inner.y), z: apply(outer, inner.z) }
}

/**
 * Yaw about y, then pitch about the turned x (positive tips the y axis towards z: a bow), then roll about z
 * (positive tips the y axis towards x: the figure's left). Radians.
 */
export function rotation(pitch: number, yaw: number, roll: number): Basis {
  const [sp, cp, sy, cy, sr, cr] = [sin(pitch), cos(pitch), sin(yaw), cos(yaw), sin(roll), cos(roll)]
  const about = (v: Vec): Vec => {
    const [x, y, z] = [v[0] * cr + v[1] * sr, -v[0] * sr + v[1] * cr, v[2]]
    const [y2, z2] = [y * cp - z * sp, y * sp + z * cp]
    return [x * cy + z2 * sy, y2, -x * sy + z2 * cy]
  }
  return { x: about([1, 0, 0]), y: about([0, 1, 0]), z: about([0, 0, 1]) }
}

export function mixBasis(a: Basis, b: Basis, k: number): Basis {
  const y = unit(lerp(a.y, b.y, k))
  const x = perpendicular(lerp(a.x, b.x, k), y)
  return { x, y, z: cross(x, y) }
}

/** The basis whose y axis is `axis` and whose z axis lies as near to `front` as it can. */
export function basisAlong(axis: Vec, front: Vec): Basis {
  const y = unit(axis)
  const z = perpendicular(front, y, [0, 0, 1])
  return { x: cross(y, z), y, z }
}
