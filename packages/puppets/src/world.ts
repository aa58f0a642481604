/** What stands still for a clip: textured planes and sky by ray casting, furniture by triangles, their shadows. */

import type { Canvas, Light, View } from "./canvas.ts"
import { clamp, dot, sub, unit, type Vec } from "./math.ts"
import type { Colour, Mesh } from "./mesh.ts"

/** A colour being mixed, linear. */
export interface Ink {
  r: number
  g: number
  b: number
}

/** The colour of a surface at `u`, `v` metres, seen from `far` metres. */
export type Material = (u: number, v: number, ink: Ink, far: number) => void

export interface Plane {
  origin: Vec
  /** Unit vectors along the surface; it faces `u × v`. */
  u: Vec
  v: Vec
  /** Where it begins and ends along `u` and `v`, metres. */
  from: readonly [number, number]
  to: readonly [number, number]
  material: Material
  /** Light that falls on it, linear; taken as it is. */
  gain: Colour
  /** Shadows fall on it. */
  floor?: boolean
}

export interface Scene {
  name: string
  planes: Plane[]
  /** Colour in a direction no plane is met in. */
  sky: (x: number, y: number, z: number, ink: Ink) => void
  /** Furniture, trees, people who never move. */
  props: Mesh
  light: Light
  /** Brightness of a place on a plane (lamps, spotlights); 1 where left out. */
  pool?: (x: number, y: number, z: number) => number
  /** Where people in the background may stand: x, z. */
  spots: readonly (readonly [number, number])[]
}

/** Light of a fair day, but for the given parts. */
export function daylight(parts: Partial<Light> & { direction: Vec }): Light {
  return {
    sky: [0.62, 0.66, 0.72],
    ground: [0.3, 0.28, 0.26],
    key: [0.9, 0.86, 0.78],
    shadow: 0.55,
    softness: 1,
    fog: [0.6, 0.66, 0.74],
    haze: 0,
    ...parts,
    direction: unit(parts.direction),
  }
}

export function plane(
  origin: Vec,
  u: Vec,
  v: Vec,
  from: readonly [number, number],
  to: readonly [number, number],
  material: Material,
  gain: Colour,
  floor = false,
): Plane {
  return { origin, u, v, from, to, material, gain, floor }
}

/** The floor y = 0, textured in x and z. */
export function ground(material: Material, gain: Colour, extent = 200): Plane {
  return plane([0, 0, 0], [1, 0, 0], [0, 0, -1], [-extent, -extent], [extent, extent], material, gain, true)
}

/** An upright wall that faces the camera, at depth `z`. */
export function backWall(z: number, wide: number, high: number, material: Material, gain: Colour): Plane {
  return plane([0, 0, z], [1, 0, 0], [0, 1, 0], [-wide, 0], [wide, high], material, gain)
}

/** A wall at `x` that faces the middle of the scene. */
export function sideWall(
  x: number,
  front: number,
  back: number,
  high: number,
  material: Material,
  gain: Colour,
): Plane {
  if (x < 0) return plane([x, 0, 0], [0, 0, -1], [0, 1, 0], [-front, 0], [-back, high], material, gain)
  return plane([x, 0, 0], [0, 0, 1], [0, 1, 0], [back, 0], [front, high], material, gain)
}

/** Paints the whole still world on a canvas. */
export function paintWorld(canvas: Canvas, scene: Scene, view: View): void {
  castRays(canvas, scene, view)
  canvas.castShadows([scene.props], view, scene.light)
  canvas.draw(scene.props, view, scene.light)
}

function castRays(canvas: Canvas, scene: Scene, view: View): void {
  const { width, height, colour, depth, floor } = canvas
  const { fog, haze } = scene.light
  const faces = scene.planes.map((p) => {
    const normal: Vec = [
      p.u[1] * p.v[2] - p.u[2] * p.v[1],
      p.u[2] * p.v[0] - p.u[0] * p.v[2],
      p.u[0] * p.v[1] - p.u[1] * p.v[0],
    ]
    const offset = sub(p.origin, view.eye)
    return { ...p, normal, gap: dot(offset, normal), eyeU: -dot(offset, p.u), eyeV: -dot(offset, p.v) }
  })
  const ink: Ink = { r: 0, g: 0, b: 0 }
  // Two rays a finished pixel, on its diagonal; each colours its neighbour on the same row too.
  for (let y = 0; y < height; y++) {
    const b = (view.centreY - (y + 0.5)) / view.focal
    for (let x = y & 1; x < width; x += 2) {
      const a = (x + 0.5 - view.centreX) / view.focal
      const dx = view.forward[0] + view.right[0] * a + view.up[0] * b
      const dy = view.forward[1] + view.right[1] * a + view.up[1] * b
      const dz = view.forward[2] + view.right[2] * a + view.up[2] * b
      let far = 1e9
      let met = -1
      let metU = 0
      let metV = 0
      for (let i = 0; i < faces.length; i++) {
        const face = faces[i]
        const facing = dx * face.normal[0] + dy * face.normal[1] + dz * face.normal[2]
        if (facing >= -1e-9) continue
        const t = face.gap / facing
        if (t <= 0.05 || t >= far) continue
        const u = face.eyeU + t * (dx * face.u[0] + dy * face.u[1] + dz * face.u[2])
        const v = face.eyeV + t * (dx * face.v[0] + dy * face.v[1] + dz * face.v[2])
        if (u < face.from[0] || u > face.to[0] || v < face.from[1] || v > face.to[1]) continue
        far = t
        met = i
        metU = u
        metV = v
      }
      const at = y * width + x
      if (met < 0) {
        scene.sky(dx, dy, dz, ink)
        depth[at] = 0
        floor[at] = 0
      } else {
        const face = faces[met]
        face.material(metU, metV, ink, far)
        const lit = scene.pool ? scene.pool(view.eye[0] + dx * far, view.eye[1] + dy * far, view.eye[2] + dz * far) : 1
        ink.r *= face.gain[0] * lit
        ink.g *= face.gain[1] * lit
        ink.b *= face.gain[2] * lit
        const mist = clamp(far * haze, 0, 1)
        ink.r += (fog[0] - ink.r) * mist
        ink.g += (fog[1] - ink.g) * mist
        ink.b += (fog[2] - ink.b) * mist
        depth[at] = 1 / far
        floor[at] = face.floor ? 1 : 0
      }
      const red = Math.min(255, Math.sqrt(ink.r) * 255)
      const green = Math.min(255, Math.sqrt(ink.g) * 255)
      const blue = Math.min(255, Math.sqrt(ink.b) * 255)
      colour[at] = (red & 255) | ((green & 255) << 8) | ((blue & 255) << 16)
      const twin = y & 1 ? at - 1 : at + 1
      colour[twin] = colour[at]
      depth[twin] = depth[at]
      floor[twin] = floor[at]
    }
  }
}

export function mixInk(ink: Ink, colour: Colour, amount: number): void {
  ink.r += (colour[0] - ink.r) * amount
  ink.g += (colour[1] - ink.g) * amount
  ink.b += (colour[2] - ink.b) * amount
}

export function setInk(ink: Ink, colour: Colour, k = 1): void {
  ink.r = colour[0] * k
  ink.g = colour[1] * k
  ink.b = colour[2] * k
}
