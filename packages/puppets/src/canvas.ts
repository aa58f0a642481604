/**
 * The software renderer: a z-buffered canvas at twice the picture's resolution.
 *
 * ```
 * static world ── ray-cast planes + triangles ──► canvas (kept for the clip)
 * each frame:  kept canvas ─► ground shadows ─► moving triangles ─► pan, shake, zoom, 2x2 average ─► RGB ─► YUV 4:2:0
 * ```
 * Lighting is linear with gamma 2, so that a square root brings it to the screen.
 */

import type { Vec } from "./math.ts"
import type { Colour, Mesh } from "./mesh.ts"

/** Samples a side per pixel of the finished picture. */
export const OVERSAMPLING = 2

export interface View {
  eye: Vec
  right: Vec
  up: Vec
  forward: Vec
  /** Focal length in canvas pixels. */
  focal: number
  /** Canvas pixel of the optical axis. */
  centreX: number
  centreY: number
}

export interface Light {
  /** Light from above and from below, linear. */
  sky: Colour
  ground: Colour
  key: Colour
  /** Unit vector towards the key light. */
  direction: Vec
  /** How dark ground shadows are, 0..1. */
  shadow: number
  /** How wide shadow edges are, in finished pixels. */
  softness: number
  fog: Colour
  /** Share of fog a metre. */
  haze: number
}

/** A rectangle of canvas pixels, both ends included; empty when `right < left`. */
export interface Area {
  left: number
  top: number
  right: number
  bottom: number
}

export class Canvas {
  width = 0
  height = 0
  /** Red, green, blue in the low three bytes. */
  colour = new Uint32Array(0)
  /** One over the distance along the optical axis. */
  depth = new Float32Array(0)
  /** 1 where ground shadows fall. */
  floor = new Uint8Array(0)
  /** What has been drawn on since `dirty` was last emptied. */
  dirty: Area = { left: 1 << 30, top: 1 << 30, right: -1, bottom: -1 }
  #mask = new Uint8Array(0)
  #blur = new Uint8Array(0)
  #maskWidth = 0
  #maskHeight = 0
  #screen = new Float64Array(6 * 512)

  /** Makes room for another picture; what was drawn is lost. Memory is kept and grows only when it must. */
  resize(width: number, height: number): void {
    this.width = width
    this.height = height
    this.#maskWidth = width >> 1
    this.#maskHeight = height >> 1
    const size = width * height
    if (size > this.colour.length) {
      this.colour = new Uint32Array(size)
      this.depth = new Float32Array(size)
      this.floor = new Uint8Array(size)
      this.#mask = new Uint8Array(size >> 2)
      this.#blur = new Uint8Array(size >> 2)
    }
    this.#mask.fill(0)
    this.dirty = { left: 1 << 30, top: 1 << 30, right: -1, bottom: -1 }
  }

  /** Puts back what `kept` shows wherever this canvas was drawn on. */
  restore(kept: Canvas): void {
    const { left, top, right, bottom } = this.dirty
    for (let y = top; y <= bottom; y++) {
      const from = y * this.width + left
      const to = y * this.width + right + 1
      this.colour.set(kept.colour.subarray(from, to), from)
      this.depth.set(kept.depth.subarray(from, to), from)
    }
    this.dirty = { left: 1 << 30, top: 1 << 30, right: -1, bottom: -1 }
  }

  /** Becomes what `kept` is, which has this canvas' size. */
  copy(kept: Canvas): void {
    const size = this.width * this.height
    this.colour.set(kept.colour.subarray(0, size))
    this.depth.set(kept.depth.subarray(0, size))
    this.floor.set(kept.floor.subarray(0, size))
    this.dirty = { left: 1 << 30, top: 1 << 30, right: -1, bottom: -1 }
  }

  #soil(left: number, top: number, right: number, bottom: number): void {
    const dirty = this.dirty
    if (left < dirty.left) dirty.left = left
    if (top < dirty.top) dirty.top = top
    if (right > dirty.right) dirty.right = right
    if (bottom > dirty.bottom) dirty.bottom = bottom
  }

  /** Lights and draws a mesh. Triangles that face away, or come nearer than 0.2 m, are left out. */
  draw(mesh: Mesh, view: View, light: Light): void {
    const screen = this.#project(mesh, view, light)
    const { index } = mesh
    for (let i = 0; i < mesh.corners; i += 3) {
      this.#fill(screen, index[i] * 6, index[i + 1] * 6, index[i + 2] * 6)
    }
  }

  /** [vertex, 6]: x, y, 1/distance, red, green, blue (0..255). */
  #project(mesh: Mesh, view: View, light: Light): Float64Array {
    if (this.#screen.length < mesh.vertices * 6) this.#screen = new Float64Array(mesh.vertices * 8)
    const { eye, right, up, forward, focal, centreX, centreY } = view
    const { sky, ground, key, direction, fog, haze } = light
    const { data } = mesh
    const screen = this.#screen
    for (let i = 0, at = 0, to = 0; i < mesh.vertices; i++, at += 9, to += 6) {
      const x = data[at] - eye[0]
      const y = data[at + 1] - eye[1]
      const z = data[at + 2] - eye[2]
      const far = x * forward[0] + y * forward[1] + z * forward[2]
      const near = 1 / Math.max(far, 1e-3)
      screen[to] = centreX + focal * (x * right[0] + y * right[1] + z * right[2]) * near
      screen[to + 1] = centreY - focal * (x * up[0] + y * up[1] + z * up[2]) * near
      screen[to + 2] = far > 0.2 ? near : 0
      const nx = data[at + 3]
      const ny = data[at + 4]
      const nz = data[at + 5]
      const facing = (nx * direction[0] + ny * direction[1] + nz * direction[2] + 0.25) * 0.8
      const lit = facing > 0 ? facing : 0
      const above = 0.5 + 0.5 * ny
      // A little light from behind keeps dark clothes off dark walls.
      const edge = 1 + (nx * forward[0] + ny * forward[1] + nz * forward[2])
      const rim = edge > 0.75 ? (edge - 0.75) * 0.09 * above : 0
      const mist = far * haze < 1 ? far * haze : 1
      for (let c = 0; c < 3; c++) {
        const light = ground[c] + (sky[c] - ground[c]) * above + key[c] * lit
        const value = data[at + 6 + c] * light + rim * sky[c]
        const seen = Math.sqrt(value + (fog[c] - value) * mist) * 255
        screen[to + 3 + c] = seen > 255 ? 255 : seen
      }
    }
    return screen
  }

  #fill(p: Float64Array, a: number, b: number, c: number): void {
    const ax = p[a]
    const ay = p[a + 1]
    const bx = p[b]
    const by = p[b + 1]
    const cx = p[c]
    const cy = p[c + 1]
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    // On the screen y points down, so front faces have negative area.
    if (area >= -1e-6 || p[a + 2] === 0 || p[b + 2] === 0 || p[c + 2] === 0) return
    const { width, height, colour, depth } = this
    const top = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5))
    const bottom = Math.min(height - 1, Math.ceil(Math.max(ay, by, cy) - 0.5) - 1)
    if (top > bottom) return
    const k = 1 / area
    const abx = bx - ax
    const aby = by - ay
    const acx = cx - ax
    const acy = cy - ay
    const z0 = p[a + 2]
    const r0 = p[a + 3]
    const g0 = p[a + 4]
    const b0 = p[a + 5]
    const dzb = p[b + 2] - z0
    const dzc = p[c + 2] - z0
    const zx = (dzb * acy - dzc * aby) * k
    const zy = (dzc * abx - dzb * acx) * k
    const drb = p[b + 3] - r0
    const drc = p[c + 3] - r0
    const rx = (drb * acy - drc * aby) * k
    const ry = (drc * abx - drb * acx) * k
    const dgb = p[b + 4] - g0
    const dgc = p[c + 4] - g0
    const gx = (dgb * acy - dgc * aby) * k
    const gy = (dgc * abx - dgb * acx) * k
    const dbb = p[b + 5] - b0
    const dbc = p[c + 5] - b0
    const hx = (dbb * acy - dbc * aby) * k
    const hy = (dbc * abx - dbb * acx) * k
    let most = -1
    let least = width
    for (let y = top; y <= bottom; y++) {
      const v = y + 0.5
      let low = Infinity
      let high = -Infinity
      if (ay <= v !== by <= v) {
        const x = ax + ((v - ay) * abx) / aby
        low = x
        high = x
      }
      if (ay <= v !== cy <= v) {
        const x = ax + ((v - ay) * acx) / acy
        if (x < low) low = x
        if (x > high) high = x
      }
      if (by <= v !== cy <= v) {
        const x = bx + ((v - by) * (cx - bx)) / (cy - by)
        if (x < low) low = x
        if (x > high) high = x
      }
      const from = Math.max(0, Math.ceil(low - 0.5))
      const to = Math.min(width - 1, Math.ceil(high - 0.5) - 1)
      if (from > to) continue
      if (from < least) least = from
      if (to > most) most = to
      const dx = from + 0.5 - ax
      const dy = v - ay
      let z = z0 + zx * dx + zy * dy
      let red = r0 + rx * dx + ry * dy
      let green = g0 + gx * dx + gy * dy
      let blue = b0 + hx * dx + hy * dy
      for (let at = y * width + from, end = y * width + to; at <= end; at++) {
        if (z > depth[at]) {
          depth[at] = z
          colour[at] = (red & 255) | ((green & 255) << 8) | ((blue & 255) << 16)
        }
        z += zx
        red += rx
        green += gx
        blue += hx
      }
    }
    if (most >= least) this.#soil(least, top, most, bottom)
  }

  /** Darkens the floor where the meshes stand between it and the key light, with soft edges. */
  castShadows(meshes: readonly Mesh[], view: View, light: Light): void {
    const width = this.#maskWidth
    const height = this.#maskHeight
    const mask = this.#mask
    const [lx, ly, lz] = light.direction
    const { eye, right, up, forward, focal, centreX, centreY } = view
    const area: Area = { left: width, top: height, right: -1, bottom: -1 }
    for (const mesh of meshes) {
      if (this.#screen.length < mesh.vertices * 6) this.#screen = new Float64Array(mesh.vertices * 8)
      const screen = this.#screen
      const { data, index } = mesh
      for (let i = 0, at = 0; i < mesh.vertices; i++, at += 9) {
        const drop = Math.max(0, data[at + 1]) / ly
        const x = data[at] - lx * drop - eye[0]
        const y = -eye[1]
        const z = data[at + 2] - lz * drop - eye[2]
        const far = Math.max(0.2, x * forward[0] + y * forward[1] + z * forward[2])
        screen[2 * i] = (centreX + (focal * (x * right[0] + y * right[1] + z * right[2])) / far) / 2
        screen[2 * i + 1] = (centreY - (focal * (x * up[0] + y * up[1] + z * up[2])) / far) / 2
      }
      for (let i = 0; i < mesh.corners; i += 3) {
        shadeTriangle(mask, width, height, screen, index[i] * 2, index[i + 1] * 2, index[i + 2] * 2, area)
      }
    }
    if (area.right < area.left) return
    const reach = Math.max(1, Math.round(light.softness))
    area.left = Math.max(0, area.left - 2 * reach)
    area.top = Math.max(0, area.top - 2 * reach)
    area.right = Math.min(width - 1, area.right + 2 * reach)
    area.bottom = Math.min(height - 1, area.bottom + 2 * reach)
    for (let pass = 0; pass < 2; pass++) boxBlur(mask, this.#blur, width, area, reach)
    const strength = light.shadow / 255
    for (let y = area.top; y <= area.bottom; y++) {
      for (let x = area.left; x <= area.right; x++) {
        const value = mask[y * width + x]
        if (value === 0) continue
        mask[y * width + x] = 0
        const keep = Math.round((1 - strength * value) * 256)
        for (let at = 2 * y * this.width + 2 * x, k = 0; k < 4; k++) {
          const to = at + (k & 1) + (k >> 1) * this.width
          if (this.floor[to] === 0) continue
          const old = this.colour[to]
          this.colour[to] =
            (((old & 255) * keep) >> 8) |
            (((((old >> 8) & 255) * keep) >> 8) << 8) |
            ((((old >> 16) * keep) >> 8) << 16)
        }
      }
    }
    this.#soil(2 * area.left, 2 * area.top, 2 * area.right + 1, 2 * area.bottom + 1)
  }
}

function shadeTriangle(
  mask: Uint8Array,
  width: number,
  height: number,
  p: Float64Array,
  a: number,
  b: number,
  c: number,
  area: Area,
): void {
  const ax = p[a]
  const ay = p[a + 1]
  const bx = p[b]
  const by = p[b + 1]
  const cx = p[c]
  const cy = p[c + 1]
  // Half of a closed mesh casts the whole shadow.
  if ((bx - ax) * (cy - ay) - (cx - ax) * (by - ay) > 0) return
  const top = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5))
  const bottom = Math.min(height - 1, Math.ceil(Math.max(ay, by, cy) - 0.5) - 1)
  for (let y = top; y <= bottom; y++) {
    const v = y + 0.5
    let low = Infinity
    let high = -Infinity
    if (ay <= v !== by <= v) {
      const x = ax + ((v - ay) * (bx - ax)) / (by - ay)
      low = x
      high = x
    }
    if (by <= v !== cy <= v) {
      const x = bx + ((v - by) * (cx - bx)) / (cy - by)
      if (x < low) low = x
      if (x > high) high = x
    }
    if (cy <= v !== ay <= v) {
      const x = cx + ((v - cy) * (ax - cx)) / (ay - cy)
      if (x < low) low = x
      if (x > high) high = x
    }
    const from = Math.max(0, Math.ceil(low - 0.5))
    const to = Math.min(width - 1, Math.ceil(high - 0.5) - 1)
    if (from > to) continue
    mask.fill(255, y * width + from, y * width + to + 1)
    if (from < area.left) area.left = from
    if (to > area.right) area.right = to
    if (y < area.top) area.top = y
    if (y > area.bottom) area.bottom = y
  }
}

/** Averages `mask` over squares of side 2·reach+1 inside `area`. */
function boxBlur(mask: Uint8Array, scratch: Uint8Array, width: number, area: Area, reach: number): void {
  const span = 2 * reach + 1
  const pass = (from: Uint8Array, to: Uint8Array, start: number, step: number, count: number) => {
    let sum = 0
    for (let i = -reach; i < count; i++) {
      const enter = i + reach
      if (enter < count) sum += from[start + enter * step]
      const leave = i - reach - 1
      if (leave >= 0) sum -= from[start + leave * step]
      if (i >= 0) to[start + i * step] = sum / span
    }
  }
  for (let y = area.top; y <= area.bottom; y++) {
    pass(mask, scratch, y * width + area.left, 1, area.right - area.left + 1)
  }
  for (let x = area.left; x <= area.right; x++) {
    pass(scratch, mask, area.top * width + x, width, area.bottom - area.top + 1)
  }
}
