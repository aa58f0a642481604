/** Triangle meshes built anew for every frame: tubes, balls, boxes. Colours are linear albedo in 0..1. */

import { add, along, apply, type Basis, cos, cross, IDENTITY, perpendicular, sin, sub, unit, type Vec } from "./math.ts"

export type Colour = readonly [red: number, green: number, blue: number]

/** A growable list of vertices (place, normal, colour) and triangles, counter-clockwise from outside. */
export class Mesh {
  vertices = 0
  corners = 0
  /** [vertex, 9]: place, normal, colour. */
  data = new Float64Array(9 * 512)
  index = new Uint32Array(3 * 1024)

  clear(): void {
    this.vertices = 0
    this.corners = 0
  }

  vertex(place: Vec, normal: Vec, colour: Colour): number {
    return this.put(place[0], place[1], place[2], normal[0], normal[1], normal[2], colour)
  }

  /** A vertex from plain numbers, for loops that make thousands. */
  put(x: number, y: number, z: number, nx: number, ny: number, nz: number, colour: Colour): number {
    if ((this.vertices + 1) * 9 > this.data.length) {
      const larger = new Float64Array(this.data.length * 2)
      larger.set(this.data)
      this.data = larger
    }
    const at = this.vertices * 9
    const data = this.data
    data[at] = x
    data[at + 1] = y
    data[at + 2] = z
    data[at + 3] = nx
    data[at + 4] = ny
    data[at + 5] = nz
    data[at + 6] = colour[0]
    data[at + 7] = colour[1]
    data[at + 8] = colour[2]
    return this.vertices++
  }

  triangle(a: number, b: number, c: number): void {
    if (this.corners + 3 > this.index.length) {
      const larger = new Uint32Array(this.index.length * 2)
      larger.set(this.index)
      this.index = larger
    }
    this.index[this.corners++] = a
    this.index[this.corners++] = b
    this.index[this.corners++] = c
  }

  /** A flat polygon with four corners in counter-clockwise order as seen from its front. */
  quad(a: Vec, b: Vec, c: Vec, d: Vec, colour: Colour): void {
    const normal = unit(cross(sub(b, a), sub(d, a)))
    const first = this.vertex(a, normal, colour)
    this.vertex(b, normal, colour)
    this.vertex(c, normal, colour)
    this.vertex(d, normal, colour)
    this.triangle(first, first + 1, first + 2)
    this.triangle(first, first + 2, first + 3)
  }
}

/** A cross-section of a tube: an ellipse around `centre` with half axes `wide` along `u` and `deep` along `v`. */
export interface Ring {
  centre: Vec
  u: Vec
  v: Vec
  wide: number
  deep: number
  colour: Colour
}

const circles = new Map<number, Float64Array>()

/** [segments, 2] cosine and sine around a circle. */
function circle(segments: number): Float64Array {
  let table = circles.get(segments)
  if (!table) {
    table = new Float64Array(segments * 2)
    for (let i = 0; i < segments; i++) {
      table[2 * i] = cos((2 * Math.PI * i) / segments)
      table[2 * i + 1] = sin((2 * Math.PI * i) / segments)
    }
    circles.set(segments, table)
  }
  return table
}

/**
 * A closed surface through rings laid from one end to the other, where `u × axis = v` (u left, v front, going up).
 * `start` and `end` are how far the caps bulge out, in metres.
 */
export function tube(mesh: Mesh, rings: readonly Ring[], segments: number, start = 0, end = 0): void {
  const around = circle(segments)
  const first = mesh.vertices
  const last = rings.length - 1
  for (let k = 0; k <= last; k++) {
    const { centre, u, v, wide, deep, colour } = rings[k]
    const below = rings[Math.max(0, k - 1)]
    const above = rings[Math.min(last, k + 1)]
    const axis = sub(above.centre, below.centre)
    const run = Math.max(1e-3, Math.sqrt(axis[0] ** 2 + axis[1] ** 2 + axis[2] ** 2))
    const slope = (below.wide + below.deep - above.wide - above.deep) / (2 * run)
    const tilt = slope / run
    for (let i = 0; i < segments; i++) {
      const c = around[2 * i]
      const s = around[2 * i + 1]
      const cu = c * deep
      const sv = s * wide
      const size = Math.sqrt(cu * cu + sv * sv) || 1
      const nx = (u[0] * cu + v[0] * sv) / size + axis[0] * tilt
      const ny = (u[1] * cu + v[1] * sv) / size + axis[1] * tilt
      const nz = (u[2] * cu + v[2] * sv) / size + axis[2] * tilt
      const even = 1 / Math.sqrt(nx * nx + ny * ny + nz * nz)
      mesh.put(
        centre[0] + u[0] * c * wide + v[0] * s * deep,
        centre[1] + u[1] * c * wide + v[1] * s * deep,
        centre[2] + u[2] * c * wide + v[2] * s * deep,
        nx * even,
        ny * even,
        nz * even,
        colour,
      )
    }
  }
  for (let k = 0; k < last; k++) {
    for (let i = 0; i < segments; i++) {
      const a = first + k * segments + i
      const b = first + k * segments + ((i + 1) % segments)
      mesh.triangle(a, a + segments, b)
      mesh.triangle(b, a + segments, b + segments)
    }
  }
  const cap = (k: number, bulge: number, outward: Vec) => {
    const apex = mesh.vertex(along(rings[k].centre, outward, bulge), outward, rings[k].colour)
    for (let i = 0; i < segments; i++) {
      const a = first + k * segments + i
      const b = first + k * segments + ((i + 1) % segments)
      if (k === 0) mesh.triangle(apex, a, b)
      else mesh.triangle(apex, b, a)
    }
  }
  cap(0, start, unit(sub(rings[0].centre, rings[1].centre)))
  cap(last, end, unit(sub(rings[last].centre, rings[last - 1].centre)))
}

/** A straight round bar. */
export function rod(mesh: Mesh, from: Vec, to: Vec, radius: number, colour: Colour, segments = 6, end = radius): void {
  const axis = unit(sub(to, from))
  const u = perpendicular([0.9, 0.1, 0.42], axis)
  const v = cross(u, axis)
  const ring = (centre: Vec, size: number): Ring => ({ centre, u, v, wide: size, deep: size, colour })
  tube(mesh, [ring(from, radius), ring(to, end)], segments, radius * 0.3, end * 0.3)
}

/** What a point of a ball looks like: `y` is its height (-1..1), `x`, `z` its direction around. */
export interface BallOptions {
  colour: (x: number, y: number, z: number) => Colour
  /** How far the surface lies from the centre, relative to the radii. */
  swell?: (x: number, y: number, z: number) => number
  bands?: number
  segments?: number
}

/** An ellipsoid with half axes `radii` along the basis' axes. */
export function ball(mesh: Mesh, centre: Vec, basis: Basis, radii: Vec, options: BallOptions): void {
  const bands = options.bands ?? 6
  const segments = options.segments ?? 8
  const around = circle(segments)
  const first = mesh.vertices
  for (let k = 0; k <= bands; k++) {
    const y = -cos((Math.PI * k) / bands)
    const r = sin((Math.PI * k) / bands)
    for (let i = 0; i < segments; i++) {
      const x = around[2 * i] * r
      const z = around[2 * i + 1] * r
      const swell = options.swell ? options.swell(x, y, z) : 1
      const lx = x * radii[0] * swell
      const ly = y * radii[1] * swell
      const lz = z * radii[2] * swell
      const ax = x / radii[0]
      const ay = y / radii[1]
      const az = z / radii[2]
      const nx = basis.x[0] * ax + basis.y[0] * ay + basis.z[0] * az
      const ny = basis.x[1] * ax + basis.y[1] * ay + basis.z[1] * az
      const nz = basis.x[2] * ax + basis.y[2] * ay + basis.z[2] * az
      const even = 1 / Math.sqrt(nx * nx + ny * ny + nz * nz)
      mesh.put(
        centre[0] + (basis.x[0] * lx + basis.y[0] * ly + basis.z[0] * lz),
        centre[1] + (basis.x[1] * lx + basis.y[1] * ly + basis.z[1] * lz),
        centre[2] + (basis.x[2] * lx + basis.y[2] * ly + basis.z[2] * lz),
        nx * even,
        ny * even,
        nz * even,
        options.colour(x, y, z),
      )
    }
  }
  for (let k = 0; k < bands; k++) {
    for (let i = 0; i < segments; i++) {
      const a = first + k * segments + i
      const b = first + k * segments + ((i + 1) % segments)
      if (k > 0) mesh.triangle(a, a + segments, b)
      if (k < bands - 1) mesh.triangle(b, a + segments, b + segments)
    }
  }
}

/** A box with half sizes `half` along the basis' axes. */
export function box(mesh: Mesh, centre: Vec, half: Vec, colour: Colour, basis: Basis = IDENTITY, top = colour): void {
  const corner = (x: number, y: number, z: number) => add(centre, apply(basis, [x * half[0], y * half[1], z * half[2]]))
  mesh.quad(corner(-1, -1, 1), corner(1, -1, 1), corner(1, 1, 1), corner(-1, 1, 1), colour)
  mesh.quad(corner(1, -1, -1), corner(-1, -1, -1), corner(-1, 1, -1), corner(1, 1, -1), colour)
  mesh.quad(corner(1, -1, 1), corner(1, -1, -1), corner(1, 1, -1), corner(1, 1, 1), colour)
  mesh.quad(corner(-1, -1, -1), corner(-1, -1, 1), corner(-1, 1, 1), corner(-1, 1, -1), colour)
  mesh.quad(corner(-1, 1, 1), corner(1, 1, 1), corner(1, 1, -1), corner(-1, 1, -1), top)
  mesh.quad(corner(-1, -1, -1), corner(1, -1, -1), corner(1, -1, 1), corner(-1, -1, 1), colour)
}

/** A colour given as the eye sees it (0..255), as linear albedo: the renderer's gamma is 2. */
export function rgb(red: number, green: number, blue: number): Colour {
  return [(red / 255) ** 2, (green / 255) ** 2, (blue / 255) ** 2]
}

export function shade(colour: Colour, k: number): Colour {
  return [colour[0] * k, colour[1] * k, colour[2] * k]
}

export function blend(a: Colour, b: Colour, k: number): Colour {
  return [a[0] + (b[0] - a[0]) * k, a[1] + (b[1] - a[1]) * k, a[2] + (b[2] - a[2]) * k]
}
