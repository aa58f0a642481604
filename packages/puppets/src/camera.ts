/** Where a clip is seen from, and how the picture drifts: pan, slow zoom, hand shake, roll. */

import { Rng } from "@fourtier/tensor"
import { type Canvas, OVERSAMPLING, type View } from "./canvas.ts"
import { clamp, cos, cross, DEGREE, mix, sin, sub, unit, type Vec } from "./math.ts"
import { bell } from "./person.ts"

export interface Camera {
  id: string
  /** Degrees around the scene, from straight ahead. */
  yaw: number
  /** Metres above the floor. */
  height: number
  distance: number
  /** Height of the picture at the actor, metres. */
  field: number
  /** Degrees added to the side from which the actor is seen. */
  aspect: number
  /** Pan over the clip in share of the picture's width; zoom factor at the end; degrees of fixed roll. */
  pan: number
  zoom: number
  roll: number
  /** Hand shake in pixels; 0 is a tripod. */
  shake: number
}

/** A rig from its id alone. Ids of the test parts begin with another letter, so no rig is shared with training. */
export function makeCamera(id: string): Camera {
  const rng = Rng.fork("camera", id)
  const handheld = rng.next() < 0.45
  return {
    id,
    yaw: rng.uniform(-20, 20),
    height: rng.pick([rng.uniform(0.7, 1.3), rng.uniform(1.3, 1.8), rng.uniform(1.8, 2.5)]),
    distance: rng.uniform(4.2, 6),
    field: rng.uniform(2.35, 2.65),
    aspect: rng.uniform(-24, 24),
    pan: rng.next() < 0.35 ? rng.uniform(-0.09, 0.09) : 0,
    zoom: rng.next() < 0.35 ? rng.uniform(0.92, 1.1) : 1,
    roll: handheld ? bell(rng) * 0.8 : 0,
    shake: handheld ? rng.uniform(0.6, 2) : 0,
  }
}

/** How the finished picture lies on the canvas in one frame, in finished pixels. */
export interface Framing {
  x: number
  y: number
  zoom: number
  roll: number
}

/**
 * @param share of the clip's time that has gone by at a frame
 * @returns the framing at each of `frames` times; `follow` is the share of the actor's path the camera follows (pixels)
 */
export function framings(
  camera: Camera,
  width: number,
  frames: number,
  follow: readonly number[],
  rng: Rng,
  share = (frame: number) => (frames > 1 ? frame / (frames - 1) : 0),
): Framing[] {
  const waves = Array.from({ length: 6 }, () => [rng.uniform(1.2, 9), rng.uniform(0, 6.28), rng.uniform(0.3, 1)])
  const wobble = (k: number, t: number) => {
    let sum = 0
    for (let i = k; i < 6; i += 2) sum += waves[i][2] * sin(waves[i][0] * t * 2 + waves[i][1])
    return sum * camera.shake * 0.6
  }
  return Array.from({ length: frames }, (_, i) => {
    const t = share(i)
    return {
      x: camera.pan * width * (t - 0.5) + wobble(0, t) + follow[i],
      y: wobble(1, t),
      zoom: mix(1, camera.zoom, t),
      roll: (camera.roll + 0.25 * wobble(0, t + 0.3)) * DEGREE,
    }
  })
}

/** Margins around the picture, in finished pixels, that hold every framing. */
export function marginsOf(list: readonly Framing[], width: number, height: number): { x: number; y: number } {
  let x = 0
  let y = 0
  for (const { x: dx, y: dy, zoom, roll } of list) {
    const [c, s] = [cos(roll), Math.abs(sin(roll))]
    x = Math.max(x, Math.abs(dx) + (width * c + height * s) / 2 / zoom - width / 2)
    y = Math.max(y, Math.abs(dy) + (height * c + width * s) / 2 / zoom - height / 2)
  }
  return { x: Math.ceil(Math.max(0, x)) + 2, y: Math.ceil(Math.max(0, y)) + 2 }
}

/** The view of a canvas with margins: the optical axis goes through the middle of the picture. */
export function viewOf(
  camera: Camera,
  target: Vec,
  width: number,
  height: number,
  margins: { x: number; y: number },
): View {
  const yaw = camera.yaw * DEGREE
  const eye: Vec = [target[0] + camera.distance * sin(yaw), camera.height, target[2] + camera.distance * cos(yaw)]
  const forward = unit(sub(target, eye))
  const right = unit(cross(forward, [0, 1, 0]))
  return {
    eye,
    right,
    up: cross(right, forward),
    forward,
    focal: (OVERSAMPLING * height * camera.distance) / camera.field,
    centreX: OVERSAMPLING * (width / 2 + margins.x),
    centreY: OVERSAMPLING * (height / 2 + margins.y),
  }
}

/**
 * Averages canvas pixels into a finished picture of planar YUV 4:2:0 (BT.601, limited range) or packed RGB.
 *
 * @param picture [height, width, 3] RGB, written whole
 * @param noise amplitude of sensor noise in levels; `seed` picks its pattern
 */
export function develop(
  canvas: Canvas,
  framing: Framing,
  width: number,
  height: number,
  picture: Uint8Array,
  noise: number,
  seed: number,
): void {
  const { colour } = canvas
  const k = OVERSAMPLING / framing.zoom
  const c = cos(framing.roll) * k
  const s = sin(framing.roll) * k
  const middleX = canvas.width / 2 + framing.x * OVERSAMPLING
  const middleY = canvas.height / 2 + framing.y * OVERSAMPLING
  let state = seed | 1
  const amplitude = Math.round(noise * 2)
  for (let y = 0, at = 0; y < height; y++) {
    const v = y + 0.5 - height / 2
    let px = middleX + c * (0.5 - width / 2) - s * v - 1
    let py = middleY + s * (0.5 - width / 2) + c * v - 1
    for (let x = 0; x < width; x++, at += 3) {
      const column = clamp(Math.round(px), 0, canvas.width - 2)
      const row = clamp(Math.round(py), 0, canvas.height - 2)
      const from = row * canvas.width + column
      const p = colour[from]
      const q = colour[from + 1]
      const r = colour[from + canvas.width]
      const t = colour[from + canvas.width + 1]
      const even = (p & 0xff00ff) + (q & 0xff00ff) + (r & 0xff00ff) + (t & 0xff00ff)
      let green = ((p & 0xff00) + (q & 0xff00) + (r & 0xff00) + (t & 0xff00)) >> 10
      let red = (even & 0x3ff) >> 2
      let blue = even >> 18
      if (amplitude > 0) {
        state ^= state << 13
        state ^= state >>> 17
        state ^= state << 5
        const grain = (((state & 255) * amplitude) >> 8) + ((((state >> 8) & 255) * amplitude) >> 8) - amplitude
        red += grain
        green += grain
        blue += grain
        red = red < 0 ? 0 : red > 255 ? 255 : red
        green = green < 0 ? 0 : green > 255 ? 255 : green
        blue = blue < 0 ? 0 : blue > 255 ? 255 : blue
      }
      picture[at] = red
      picture[at + 1] = green
      picture[at + 2] = blue
      px += c
      py += s
    }
  }
}

/** [height, width, 3] RGB to planar YUV 4:2:0, BT.601, limited range; both sides even. */
export function toYuv(picture: Uint8Array, width: number, height: number, planes: Uint8Array): void {
  const chroma = width * height
  const quarter = chroma >> 2
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2) {
      let red = 0
      let green = 0
      let blue = 0
      for (let k = 0; k < 4; k++) {
        const at = (y + (k >> 1)) * width + x + (k & 1)
        const r = picture[3 * at]
        const g = picture[3 * at + 1]
        const b = picture[3 * at + 2]
        planes[at] = 16 + ((66 * r + 129 * g + 25 * b + 128) >> 8)
        red += r
        green += g
        blue += b
      }
      const to = (y >> 1) * (width >> 1) + (x >> 1)
      planes[chroma + to] = 128 + ((-38 * red - 74 * green + 112 * blue + 512) >> 10)
      planes[chroma + quarter + to] = 128 + ((112 * red - 94 * green - 18 * blue + 512) >> 10)
    }
  }
}
